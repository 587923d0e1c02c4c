/** Invokers for tests of the runner: what an executor does is written in the test itself. */
import {
  type CallContext,
  FaasError,
  type FaasInvoker,
  type JobCall,
  type JobResult,
  jsonCodec,
} from '../../src/index.js';

export interface RecordedInvoker extends FaasInvoker {
  readonly calls: JobCall[];
}

export function invoker(
  answer: (call: JobCall, context: CallContext) => unknown,
  changes: Partial<FaasInvoker> = {},
): RecordedInvoker {
  const calls: JobCall[] = [];
  return {
    provider: 'fake',
    limits: { asOf: '2026-11-20', source: 'this test' },
    calls,
    async invoke(call, context): Promise<JobResult> {
      calls.push(call);
      const value = await answer(call, context);
      return { result: jsonCodec.encode(value), metadata: call.metadata, metrics: { totalMs: 1 } };
    },
    ...changes,
  };
}

export function failure(
  code: FaasError['code'],
  executed: FaasError['executed'],
  more: { retryAfterMs?: number } = {},
): FaasError {
  return new FaasError({ code, executed, message: `a ${code} for the test`, provider: 'fake', ...more });
}

/** An executor that never answers but obeys its context. */
export function hanging(): RecordedInvoker {
  return invoker(
    (_call, context) =>
      new Promise((_resolve, reject) => {
        context.onCancel((reason) => reject(reason.with({ executed: 'maybe', provider: 'fake' })));
      }),
  );
}

export const delay = (delayMs: number) => new Promise<void>((resolve) => setTimeout(resolve, delayMs));

/** A promise to be settled from outside, such as a handler that a test lets go. */
export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
