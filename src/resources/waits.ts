/** Waits for a provider to finish what it was asked for. */
import { setTimeout as delay } from 'node:timers/promises';
import { FaasError } from '../core/errors.js';
import type { RemoteFunction, ResourceProvider } from './provider.js';

export interface WaitOptions {
  /** How long a function may take to run, or to go. */
  readonly timeoutMs: number;
  /** The first pause between two looks; each is twice the one before, up to the longest. */
  readonly pollFirstMs: number;
  readonly pollMostMs: number;
}

export const DEFAULT_WAITS: WaitOptions = { timeoutMs: 600_000, pollFirstMs: 200, pollMostMs: 10_000 };

/**
 * Until the function can be called.
 * @throws {FaasError} CONFIG with the provider's reason when it failed, NOT_FOUND when it is gone, TIMEOUT with the last
 * status, whatever the provider called it
 */
export function untilRunning(
  provider: ResourceProvider,
  id: string,
  options: WaitOptions,
  signal: AbortSignal,
): Promise<RemoteFunction> {
  return poll(provider, id, options, signal, (remote) => {
    if (remote === undefined) throw problem('NOT_FOUND', provider, id, 'is gone: someone else deletes it');
    if (remote.status === 'failed') {
      throw problem(
        'CONFIG',
        provider,
        remote.name ?? id,
        `does not run: ${remote.errorMessage ?? `its status is ${remote.statusText}`}`,
      );
    }
    return remote.status === 'running' || remote.status === 'idle' ? remote : undefined;
  });
}

/** Until nothing of it is left. */
export async function untilGone(
  provider: ResourceProvider,
  id: string,
  options: WaitOptions,
  signal: AbortSignal,
): Promise<void> {
  await poll(provider, id, options, signal, (remote) => (remote === undefined ? 'gone' : undefined));
}

/** A provider that is away or busy says nothing of the function: its error is what was seen. */
async function look(
  provider: ResourceProvider,
  id: string,
  signal: AbortSignal,
): Promise<RemoteFunction | FaasError | undefined> {
  try {
    return await provider.read(id, signal);
  } catch (failure) {
    const isPassing =
      FaasError.is(failure) && (failure.code === 'UNAVAILABLE' || failure.code === 'THROTTLED');
    if (isPassing && !signal.aborted) return failure;
    throw failure;
  }
}

function lastOf(seen: RemoteFunction | FaasError | undefined): string {
  if (seen === undefined) return 'it is gone';
  return FaasError.is(seen) ? seen.message : `its status is ${seen.statusText}`;
}

/** A status that nobody knows keeps it waiting: only the deadline ends that. */
async function poll<Result>(
  provider: ResourceProvider,
  id: string,
  { timeoutMs, pollFirstMs, pollMostMs }: WaitOptions,
  signal: AbortSignal,
  judge: (remote: RemoteFunction | undefined) => Result | undefined,
): Promise<Result> {
  const endsAtMs = performance.now() + timeoutMs;
  for (let pauseMs = pollFirstMs; ; pauseMs = Math.min(2 * pauseMs, pollMostMs)) {
    const seen = await look(provider, id, signal);
    const result = FaasError.is(seen) ? undefined : judge(seen);
    if (result !== undefined) return result;
    if (performance.now() + pauseMs > endsAtMs) {
      const name = FaasError.is(seen) ? id : (seen?.name ?? id);
      const what = `is not ready after ${Math.round(timeoutMs / 1000)} s: ${lastOf(seen)}`;
      throw problem('TIMEOUT', provider, name, what);
    }
    await delay(pauseMs, undefined, { signal });
  }
}

function problem(
  code: 'CONFIG' | 'NOT_FOUND' | 'TIMEOUT',
  provider: ResourceProvider,
  name: string,
  what: string,
): FaasError {
  const message = `${name} ${what.replace(/\.+$/, '')} (on ${provider.name}).`;
  return new FaasError({ code, executed: 'no', provider: provider.name, functionName: name, message });
}
