/** Packages for Google Cloud Functions: the functions framework loads `package.json`'s main and calls its `main`. */
import { openStore, ownModule } from '../own-package.js';
import type { PackageTarget } from '../target.js';

const ENTRY = JSON.stringify(ownModule('executors/gcp-functions/entry'));

/** The version is what the tests run; Google's build installs it. */
const MANIFEST = {
  name: 'job',
  version: '1.0.0',
  main: 'index.js',
  dependencies: { '@google-cloud/functions-framework': '^5.0.5' },
};

/** CommonJS, so a top-level await is not possible here. An executable must run on Google's Ubuntu, x86_64. */
export const gcpFunctions: PackageTarget = {
  name: 'gcp-functions',
  format: 'cjs',
  file: 'index.js',
  handlerModule: (jobs) => `
    import { cloudFunction, jobsRunner, resolveClaims } from ${ENTRY};
    import { jobsOf } from ${JSON.stringify(ownModule('packaging/bootstrap/jobs'))};
    export const main = cloudFunction(async () =>
      resolveClaims(jobsRunner(jobsOf(await import(${JSON.stringify(jobs)})), 'gcp-functions'), ${openStore()}));`,
  executableModule: () => `
    import { cloudFunction, executableRunner, resolveClaims } from ${ENTRY};
    export const main = cloudFunction(async () =>
      resolveClaims(executableRunner(__dirname + '/function'), ${openStore()}));`,
  files: () => [
    { path: 'package.json', bytes: `${JSON.stringify(MANIFEST)}\n` },
    // Tells the executor that this package knows warm pings.
    { path: 'jobferry-gcp.json', bytes: '{"entry":1}\n' },
  ],
};
