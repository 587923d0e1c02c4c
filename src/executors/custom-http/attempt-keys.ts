/** Under which id a platform of spec 1.1 knows a call, so that asking again does not run it again. */
import type { JobCall } from '../../core/job.js';

/** Calls whose attempts ended for good and may still be attempted again: rare, so this is plenty. */
const MOST_CALLS = 10_000;
const MAX_KEY_LENGTH = 128;

/**
 * The key of a call is its id, so that an attempt after a doubtful one gets the outcome of the first. Once the
 * platform has reported a final failure, another attempt means to run it again and needs a key of its own: the
 * old one would bring the same failure back for ever.
 */
export class AttemptKeys {
  readonly #next = new Map<string, string>();

  /** Undefined when no key is left that a header may carry: the attempt then goes without. */
  of({ callId }: JobCall): string | undefined {
    const key = this.#next.get(callId) ?? callId;
    return key.length <= MAX_KEY_LENGTH ? key : undefined;
  }

  /** This attempt ended for good. */
  settle({ callId, attempt }: JobCall): void {
    this.#next.delete(callId);
    this.#next.set(callId, `${callId}.${attempt + 1}`);
    if (this.#next.size <= MOST_CALLS) return;
    const [oldest] = this.#next.keys();
    if (oldest !== undefined) this.#next.delete(oldest);
  }
}
