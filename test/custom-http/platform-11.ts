/** A fake platform of spec 1.1 with an executor on it, for the tests of what 1.1 adds. */

import { callContext } from '../../src/core/scope.ts';
import { HttpFaasExecutor, type HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import {
  type FakeFunction,
  type FakePlatform,
  type FakePlatformOptions,
  type FakeRequest,
  fakePlatform,
} from '../../src/testing/index.ts';

/** What the functions of these tests do: echo, fail, and wait until they are stopped. */
export const FUNCTIONS: Record<string, FakeFunction> = {
  job7: ({ args }) => args,
  job8: () => {
    throw new TypeError('no luck');
  },
  // Ends well after it was told to stop: an answer in that very moment would race with the caller's own deadline.
  job9: ({ signal }) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => setTimeout(() => resolve(new Uint8Array(0)), 250), {
        once: true,
      });
    }),
};

export interface Stage extends AsyncDisposable {
  readonly platform: FakePlatform;
  readonly executor: HttpFaasExecutor;
  /** Method and path of every request since the last time it was asked. */
  lines(): string[];
}

export async function stage(
  options: Partial<HttpFaasExecutorOptions> = {},
  platformOptions: FakePlatformOptions = {},
): Promise<Stage> {
  const { functions, ...more } = platformOptions;
  const platform = await fakePlatform({
    spec: '1.1',
    deployed: true,
    functions: { ...FUNCTIONS, ...functions },
    ...more,
  });
  const executor = new HttpFaasExecutor({ baseUrl: platform.url, ...options });
  let told = 0;
  return {
    platform,
    executor,
    lines: () => {
      const fresh = platform.requests.slice(told);
      told = platform.requests.length;
      return fresh.map(({ method, path }) => `${method} ${path}`);
    },
    [Symbol.asyncDispose]: async () => {
      await executor.close();
      await platform.close();
    },
  };
}

/** Lets the executor learn what the platform offers, by an idempotent call. */
export async function learn({ executor, lines }: Stage): Promise<void> {
  const context = callContext({ timeoutMs: 20_000 });
  const call = { jobId: 7, args: new Uint8Array(0), attempt: 1, deadline: Infinity, metadata: {} };
  await executor.invoke({ ...call, callId: 'learning', idempotent: true }, context);
  context.disarm();
  lines();
}

export const isInvoke = ({ path }: FakeRequest): boolean => path.endsWith('/invoke');
export const isAbout = ({ path }: FakeRequest): boolean => path === '/api';
export const OCTETS = 'application/octet-stream';
