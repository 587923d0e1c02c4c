/** Any platform of the custom-FaaS spec: what the CLI talks to by default. */
import { HttpFaasExecutor } from '../../executors/custom-http/index.js';
import { checkPlatform, DEFAULT_URL } from '../platform-check.js';
import type { CliProvider, Env } from '../provider.js';

export const customHttp: CliProvider = {
  name: 'custom-http',
  target: undefined,
  variables: {
    JOBFERRY_URL: `the platform; default ${DEFAULT_URL}`,
    JOBFERRY_TOKEN: 'its key',
  },
  async open(env: Env) {
    return new HttpFaasExecutor({ baseUrl: urlFrom(env), ...authFrom(env) });
  },
  doctor: (env) => checkPlatform(urlFrom(env), env),
};

/** Never from the command line, where every user of the machine could read it. */
export function authFrom({ JOBFERRY_TOKEN: bearer }: Env): { auth?: { bearer: string } } {
  return bearer ? { auth: { bearer } } : {};
}

function urlFrom({ JOBFERRY_URL }: Env): string {
  return JOBFERRY_URL || DEFAULT_URL;
}
