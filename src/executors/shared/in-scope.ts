/** The time that work on the control plane may take: the caller's signal, or a limit. */
import { CallScope, cancelled } from '../../core/scope.js';

/** Runs `work` in a scope that ends with the caller's signal, `executed: no`, or after `timeoutMs`. */
export async function inScope<T>(
  signal: AbortSignal | undefined,
  timeoutMs: number,
  work: (scope: CallScope) => Promise<T>,
): Promise<T> {
  const scope = new CallScope(Date.now() + timeoutMs);
  const cancel = () => scope.cancel(cancelled(signal?.reason).with({ executed: 'no' }));
  if (signal?.aborted) cancel();
  else {
    scope.arm(timeoutMs);
    signal?.addEventListener('abort', cancel, { once: true });
  }
  try {
    return await work(scope);
  } finally {
    scope.disarm();
    signal?.removeEventListener('abort', cancel);
  }
}
