/** Packages for OpenFaaS: a build context whose image runs our entry behind of-watchdog. */
import { openStore, ownModule } from '../own-package.js';
import type { PackageTarget } from '../target.js';

const ENTRY = JSON.stringify(ownModule('executors/e2e-openfaas/entry'));

/** Debian's libc, since an executable may want it. Both images are multi-arch. */
const dockerfile = (
  hasExecutable: boolean,
): string => `# docker build -t REGISTRY/NAME:TAG . && docker push REGISTRY/NAME:TAG
FROM ghcr.io/openfaas/of-watchdog:0.11.5 AS watchdog
FROM node:24-slim
COPY --from=watchdog /fwatchdog /usr/bin/fwatchdog
RUN chmod +x /usr/bin/fwatchdog
WORKDIR /home/app
COPY index.mjs ./
${hasExecutable ? 'COPY function ./\nRUN chmod 755 function\n' : ''}ENV NODE_ENV=production \\
    mode=http \\
    fprocess="node /home/app/index.mjs" \\
    http_port=3000 \\
    upstream_url=http://127.0.0.1:3000
# Of any user: some clusters choose one.
USER 1000
EXPOSE 8080
HEALTHCHECK --interval=3s CMD [ -e /tmp/.lock ] || exit 1
CMD ["fwatchdog"]
`;

export const openFaas: PackageTarget = {
  name: 'openfaas',
  format: 'esm',
  file: 'index.mjs',
  handlerModule: (jobs) => `
    import { jobsRunner, resolveClaims, serveEntry } from ${ENTRY};
    import { jobsOf } from ${JSON.stringify(ownModule('packaging/bootstrap/jobs'))};
    serveEntry(async () =>
      resolveClaims(jobsRunner(jobsOf(await import(${JSON.stringify(jobs)})), 'e2e-openfaas'), ${openStore()}));`,
  executableModule: () => `
    import { executableRunner, resolveClaims, serveEntry } from ${ENTRY};
    serveEntry(async () => resolveClaims(executableRunner(import.meta.dirname + '/function'), ${openStore()}));`,
  files: (kind) => [{ path: 'Dockerfile', bytes: dockerfile(kind === 'executable') }],
};
