/** Looks at a platform of the custom-FaaS spec: is it there, does it take our key, how does it isolate functions? */
import type { Check, Env } from './provider.js';

/** What `jobferry dev` listens on, and nobody has to run. */
export const DEFAULT_URL = 'http://127.0.0.1:8080';

const TIMEOUT_MS = 5000;

interface PlatformInfo {
  readonly spec?: string;
  readonly platform?: string;
  readonly version?: string;
  readonly isolation?: {
    readonly mode?: string;
    readonly memory?: string;
    readonly processTree?: string;
    readonly network?: string;
    /** Why it is not stronger. */
    readonly reason?: string;
  };
}

/** @param env JOBFERRY_TOKEN */
export async function checkPlatform(url: string, env: Env): Promise<Check[]> {
  const name = 'platform';
  const unreachable = url === DEFAULT_URL ? 'warn' : 'fail';
  let response: Response;
  try {
    response = await requestInfo(url, env);
  } catch (error) {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const advice = 'start one with: jobferry dev, or name one with --url';
    return [
      { name, status: unreachable, message: `${url} cannot be reached (${firstLine(reason)}); ${advice}` },
    ];
  }
  if (response.status === 401 || response.status === 403) {
    return [
      { name, status: 'fail', message: `${url} refuses the key; put the right one into JOBFERRY_TOKEN` },
    ];
  }
  const info = (await response.json().catch(() => undefined)) as PlatformInfo | undefined;
  if (!response.ok || typeof info !== 'object' || info === null) {
    const message = `${url} answers ${response.status} to GET /api: a platform that does not describe itself, or none at all`;
    return [{ name, status: 'warn', message }];
  }
  const { spec = 'unknown', platform = 'unknown', version = '' } = info;
  return [
    { name, status: 'ok', message: `${url} is ${platform} ${version}, spec ${spec}` },
    checkIsolation(info.isolation),
  ];
}

function requestInfo(url: string, { JOBFERRY_TOKEN }: Env): Promise<Response> {
  return fetch(new URL('api', url.endsWith('/') ? url : `${url}/`), {
    headers: JOBFERRY_TOKEN ? { Authorization: `Bearer ${JOBFERRY_TOKEN}` } : {},
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

function checkIsolation(isolation: PlatformInfo['isolation']): Check {
  const name = 'isolation';
  if (isolation === undefined)
    return { name, status: 'warn', message: 'the platform does not say how it isolates functions' };
  const { mode, memory, processTree, network, reason } = isolation;
  const facts = [
    mode,
    `memory by ${memory}`,
    `process tree by ${processTree}`,
    ...(network === 'none' ? ['no network for functions'] : []),
  ].join(', ');
  if (memory === 'sampled' || processTree === 'process-group') {
    return { name, status: 'warn', message: `${facts}; give the platform a writable cgroup for hard limits` };
  }
  if (mode === 'process') {
    const why = reason === undefined ? 'install bubblewrap to keep functions apart' : reason;
    return { name, status: 'warn', message: `${facts}; ${why}` };
  }
  return { name, status: 'ok', message: facts };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] as string;
}
