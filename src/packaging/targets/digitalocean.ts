/** Packages for DigitalOcean Functions: OpenWhisk's Node.js runtimes load `package.json`'s main and call its `main`. */
import { openStore, ownModule } from '../own-package.js';
import type { PackageTarget } from '../target.js';

const ENTRY = JSON.stringify(ownModule('executors/digitalocean/entry'));

/** CommonJS, so a top-level await is not possible here. An executable must run on the runtime's Linux, x86_64. */
export const digitalOcean: PackageTarget = {
  name: 'digitalocean',
  format: 'cjs',
  node: 'node18',
  file: 'index.js',
  handlerModule: (jobs) => `
    import { jobsRunner, openWhiskMain, resolveClaims } from ${ENTRY};
    import { jobsOf } from ${JSON.stringify(ownModule('packaging/bootstrap/jobs'))};
    export const main = openWhiskMain(async () =>
      resolveClaims(jobsRunner(jobsOf(await import(${JSON.stringify(jobs)})), 'digitalocean'), ${openStore()}));`,
  executableModule: () => `
    import { executableRunner, openWhiskMain, resolveClaims } from ${ENTRY};
    export const main = openWhiskMain(async () =>
      resolveClaims(executableRunner(__dirname + '/function'), ${openStore()}));`,
  files: () => [
    { path: 'package.json', bytes: '{"name":"job","version":"1.0.0","main":"index.js"}\n' },
    // Tells the executor that this package knows warm pings.
    { path: 'jobferry-digitalocean.json', bytes: '{"entry":1}\n' },
  ],
};
