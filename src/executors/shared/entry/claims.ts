/** Entries that can take and give claims: a call that is not marked loads nothing of it. */
import { isMarked } from '../../../core/claim-marks.js';
import type { ObjectStore } from '../../../core/object-store.js';
import type { CallRunner } from './runner.js';

/** @param openStore opens the store that the function's environment names; called when the first claim comes */
export function resolveClaims(runner: CallRunner, openStore: () => Promise<ObjectStore>): CallRunner {
  return async (call, hostDeadline) => {
    if (!isMarked(call.metadata)) return runner(call, hostDeadline);
    const { runClaimed } = await import('../../../core/claim-calls.js');
    return runClaimed(call, openStore, (plain) => runner(plain, hostDeadline));
  };
}
