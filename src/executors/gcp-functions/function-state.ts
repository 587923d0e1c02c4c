/** What the state of a function and of an operation means for who waits. */
import type { FaasError } from '../../core/errors.js';
import type { Place } from '../shared/transport-error.js';
import type { CloudFunction, Operation, Stage } from './control-plane.js';
import { statusError, statusName } from './errors.js';

/** An unknown state is one that may pass. */
export function standingOf({ state }: CloudFunction): 'active' | 'failed' | 'busy' | 'deleting' {
  // The API knows more states than the client's types.
  switch (state as string) {
    case 'ACTIVE':
      return 'active';
    case 'FAILED':
    case 'DETACH_FAILED':
      return 'failed';
    case 'DELETING':
      return 'deleting';
    default:
      return 'busy';
  }
}

/** State and messages in Google's words. */
export function reasonOf({ state, stateMessages }: CloudFunction): string {
  const texts = (stateMessages ?? []).map(({ type, message }) => [type, message].filter(Boolean).join(': '));
  return [`state ${String(state ?? 'unknown')}`, ...texts].join('; ');
}

/** The stage an operation works on, or the one that failed. */
export function stageOf({ stages }: Operation): Stage | undefined {
  return stages.find(({ state }) => state !== 'COMPLETE' && state !== 'NOT_STARTED') ?? stages.at(-1);
}

export function stageText(operation: Operation): string {
  const stage = stageOf(operation);
  return stage === undefined ? operation.name : `${stage.name} ${stage.state} (${operation.name})`;
}

/** An operation that ended badly: the stage, Google's reason, and where the log of the build is. */
export function operationError(operation: Operation, place: Place): FaasError {
  const stage = stageOf(operation);
  const { code, message } = operation.error ?? { code: 2, message: '' };
  const at = stage === undefined ? '' : ` at stage ${stage.name}`;
  const log = stage?.resourceUri ? `. Log: ${stage.resourceUri}` : '';
  const said = `${message.replace(/[.\s]+$/, '')}${at}${log}`;
  return statusError(statusName(code), said, place);
}

/** The operation ended well and the function did not: seen as a state FAILED without an error. */
export function failedError(fn: CloudFunction, place: Place): FaasError {
  return statusError('FAILED_PRECONDITION', reasonOf(fn), place);
}
