/**
 * Packages for Azure Functions: a custom handler. The host starts our bundle with the runtime's `node` and forwards
 * requests to it; the programming model of Azure's own npm package is not needed beside it.
 */
import { openStore, ownModule } from '../own-package.js';
import type { PackageTarget } from '../target.js';

const ENTRY = JSON.stringify(ownModule('executors/azure-functions/entry'));
const BUNDLE = 'index.mjs';

const HOST = {
  version: '2.0',
  customHandler: {
    description: { defaultExecutablePath: 'node', arguments: [BUNDLE] },
    // The request as it came, and the reply as it goes: without it the host wraps both in JSON.
    enableForwardingHttpRequest: true,
  },
};

const FUNCTION = {
  bindings: [
    {
      type: 'httpTrigger',
      direction: 'in',
      name: 'request',
      authLevel: 'function',
      methods: ['post'],
      route: 'job',
    },
    { type: 'http', direction: 'out', name: 'response' },
  ],
};

/** An executable must run on the runtime's Linux, x86_64. */
export const azureFunctions: PackageTarget = {
  name: 'azure-functions',
  format: 'esm',
  file: BUNDLE,
  handlerModule: (jobs) => `
    import { jobsRunner, resolveClaims, serveHost } from ${ENTRY};
    import { jobsOf } from ${JSON.stringify(ownModule('packaging/bootstrap/jobs'))};
    await serveHost(async () =>
      resolveClaims(jobsRunner(jobsOf(await import(${JSON.stringify(jobs)})), 'azure-functions'), ${openStore()}));`,
  executableModule: () => `
    import { executableRunner, resolveClaims, serveHost } from ${ENTRY};
    await serveHost(async () =>
      resolveClaims(executableRunner(import.meta.dirname + '/function'), ${openStore()}));`,
  files: () => [
    { path: 'host.json', bytes: `${JSON.stringify(HOST, null, 2)}\n` },
    { path: 'job/function.json', bytes: `${JSON.stringify(FUNCTION, null, 2)}\n` },
    { path: 'package.json', bytes: '{"name":"job","version":"1.0.0","private":true}\n' },
    // Tells the executor that this package knows warm pings.
    { path: 'jobferry-azure-functions.json', bytes: '{"entry":1}\n' },
  ],
};
