/** Keeps the records of calls within their time and their bytes. */

import { messageOf, PlatformError } from '../domain/errors.js';
import type { PlatformLimits } from '../domain/limits.js';
import type { Log } from '../domain/log.js';
import type { GroupCommit } from '../store/group-commit.js';
import type { InvocationStore } from './invocation-store.js';
import type { KeptOutcomes } from './kept-outcomes.js';

const SWEEP_EVERY_MS = 10_000;

export interface StorageParts {
  readonly invocations: InvocationStore;
  readonly kept: KeptOutcomes;
  readonly disk: GroupCommit;
  /** Of all records of calls, as of the last write. */
  readonly storedBytes: () => number;
  readonly limits: PlatformLimits;
  readonly log: Log;
}

export class Storage {
  readonly #parts: StorageParts;
  readonly #timer: NodeJS.Timeout;

  constructor(parts: StorageParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.sweep(), SWEEP_EVERY_MS).unref();
  }

  /** @throws PlatformError UNAVAILABLE when the records are full */
  requireRoom(): void {
    const { storedBytes, limits } = this.#parts;
    const { maxStoredBytes } = limits;
    if (storedBytes() < maxStoredBytes) return;
    throw new PlatformError(
      'UNAVAILABLE',
      `The records of calls hold their limit of ${maxStoredBytes} bytes. Old ones make room when their time is over.`,
      { retryAfterSecs: 60 },
    );
  }

  /** Deletes what is past its time. */
  async sweep(): Promise<void> {
    const { invocations, kept, disk, limits, log } = this.#parts;
    const now = Date.now();
    try {
      await disk.commit(() => invocations.deleteFinishedBefore(now - limits.invocationRetentionSecs * 1000));
      await disk.commit(() => kept.deleteFinishedBefore(now - limits.idempotencyTtlSecs * 1000));
    } catch (error) {
      log('warn', 'sweep-failed', { error: messageOf(error) });
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
