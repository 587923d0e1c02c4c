/** Deletes old objects now and then, beside a runner or alone. */
import type { ObjectStore } from '../core/object-store.js';

export interface SweeperOptions {
  readonly store: ObjectStore;
  /** As in `claimCheck`. Default 86 400, a day. */
  readonly ttlSecs?: number;
  /** Default 3600. */
  readonly everySecs?: number;
  /** A sweep that failed is tried again the next time. */
  readonly onError?: (error: unknown) => void;
}

/**
 * A background service: `.backgroundService(sweeper({ store }))`. Several may sweep one store. Clouds do the same by a
 * lifecycle rule, without anybody running.
 */
export function sweeper({ store, ttlSecs = 86_400, everySecs = 3600, onError }: SweeperOptions) {
  return async function claimSweeper({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      try {
        await store.sweep(ttlSecs, { signal });
      } catch (error) {
        if (!signal.aborted) onError?.(error);
      }
      await pause(everySecs * 1000, signal);
    }
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
