/** Packages for E2E Functions: a `handler.js` for the Node.js template of E2E and OpenFaaS, with our entry inside. */
import { openStore, ownModule } from '../own-package.js';
import type { PackageTarget } from '../target.js';

const ENTRY = JSON.stringify(ownModule('executors/e2e-openfaas/entry'));
const JOBS = JSON.stringify(ownModule('packaging/bootstrap/jobs'));

/** The template calls what the module is; a platform may call it by the name `handle`. */
const EXPORTS = 'module.exports = handle; module.exports.handle = handle;';

/** CommonJS, so a top-level await is not possible here. E2E's account API takes the one file, its platform the zip. */
export const e2e: PackageTarget = {
  name: 'e2e',
  format: 'cjs',
  file: 'handler.js',
  handlerModule: (jobs) => `
    const { jobsRunner, resolveClaims, templateHandler } = require(${ENTRY});
    const { jobsOf } = require(${JOBS});
    const handle = templateHandler(async () =>
      resolveClaims(jobsRunner(jobsOf(await import(${JSON.stringify(jobs)})), 'e2e-openfaas'), ${openStore()}));
    ${EXPORTS}`,
  executableModule: () => `
    const { executableRunner, resolveClaims, templateHandler } = require(${ENTRY});
    const handle = templateHandler(async () =>
      resolveClaims(executableRunner(__dirname + '/function'), ${openStore()}));
    ${EXPORTS}`,
  files: () => [{ path: 'package.json', bytes: '{"name":"job","version":"1.0.0","main":"handler.js"}\n' }],
};
