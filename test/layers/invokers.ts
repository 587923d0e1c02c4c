// Invokers for layer tests: they do what a list says and remember what they were asked.
import { FaasError, type FaasErrorCode, type FaasErrorOptions } from '../../src/core/errors.js';
import type { CallContext, FaasInvoker } from '../../src/core/executor.js';
import type { JobCall, JobResult } from '../../src/core/job.js';

export const OK: JobResult = { result: Uint8Array.of(1), metadata: {}, metrics: { totalMs: 0 } };

export function failure(
  code: FaasErrorCode,
  executed: 'no' | 'maybe' | 'yes',
  facts: Partial<FaasErrorOptions> = {},
): FaasError {
  return new FaasError({ code, executed, message: `scripted ${code}`, provider: 'fake', ...facts });
}

export function callOf(changes: Partial<JobCall> = {}): JobCall {
  return {
    jobId: 1,
    args: new Uint8Array(0),
    callId: 'call-1',
    attempt: 1,
    deadline: Infinity,
    idempotent: false,
    metadata: {},
    ...changes,
  };
}

export interface FakeInvoker extends FaasInvoker {
  readonly calls: { readonly call: JobCall; readonly context: CallContext }[];
  closed: number;
}

/** Runs `behave` for each call; `index` counts from 0. */
export function invoker(
  behave: (call: JobCall, context: CallContext, index: number) => Promise<JobResult> | JobResult | FaasError,
  facts: Partial<Pick<FaasInvoker, 'provider' | 'limits'>> = {},
): FakeInvoker {
  const fake: FakeInvoker = {
    provider: 'fake',
    limits: { asOf: '2026-01-01', source: 'test' },
    ...facts,
    calls: [],
    closed: 0,
    async invoke(call, context) {
      fake.calls.push({ call, context });
      const outcome = await behave(call, context, fake.calls.length - 1);
      if (FaasError.is(outcome)) throw outcome;
      return outcome;
    },
    async close() {
      fake.closed += 1;
    },
  };
  return fake;
}

/** One outcome after the other; the last one repeats. */
export function scripted(...outcomes: (JobResult | FaasError)[]): FakeInvoker {
  return invoker((_call, _context, index) => outcomes[Math.min(index, outcomes.length - 1)] ?? OK);
}

/** Never answers, and rejects when cancelled with the facts given. */
export function hanging(executed: 'no' | 'maybe' | 'yes' = 'maybe'): FakeInvoker {
  return invoker(
    (_call, context) =>
      new Promise((_resolve, reject) => {
        context.onCancel((reason) => reject(reason.with({ executed, provider: 'fake' })));
      }),
  );
}

/** Never answers and hears nothing. */
export const deaf = (): FakeInvoker => invoker(() => new Promise<never>(() => {}));

export async function errorOf(work: Promise<unknown>): Promise<FaasError> {
  const thrown = await work.then(
    () => new Error('expected a failure'),
    (error: unknown) => error,
  );
  if (FaasError.is(thrown)) return thrown;
  throw thrown;
}

export const cancelReason = (): FaasError =>
  new FaasError({ code: 'CANCELLED', executed: 'maybe', message: 'the test cancels' });
