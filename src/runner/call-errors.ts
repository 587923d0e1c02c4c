/** How calls fail: the status of an error, and what the runner says where neither job nor executor do. */
import type { AnyJob } from '../core/define-job.js';
import { FaasError } from '../core/errors.js';
import { isCurable } from '../core/retry-policy.js';
import type { OutcomeStatus } from './outcome.js';

export function statusOf(error: FaasError, { retry, idempotent }: AnyJob): Exclude<OutcomeStatus, 'ok'> {
  if (error.code === 'TIMEOUT') return 'timed-out';
  if (error.code === 'CANCELLED') return 'cancelled';
  const functionErrors = typeof retry === 'object' && retry.functionErrors === true;
  const gaveUp = error.attempts !== undefined && isCurable(error, idempotent === true, functionErrors);
  return gaveUp ? 'dead' : 'failed';
}

/** Why a call was ended from outside, with what is known of whether it ran. */
export function withExecuted(
  reason: FaasError,
  executed: 'no' | 'maybe' | 'yes',
  jobName: string,
): FaasError {
  const what = reason.code === 'TIMEOUT' ? 'did not end before its deadline' : 'was cancelled';
  return reason.with({ executed, message: `Job "${jobName}" ${what}.`, functionName: jobName });
}

export function noTarget(jobName: string): FaasError {
  return new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `Job "${jobName}" has no handler, and its executor was unregistered. Register one, or add a handler.`,
  });
}

export function cannotRoute(jobName: string, thrown: unknown): FaasError {
  if (FaasError.is(thrown)) return thrown;
  return new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `A layer cannot wrap the executor of job "${jobName}": ${String(thrown)}`,
    cause: thrown,
  });
}

export function notAFaasError(thrown: unknown, provider: string): FaasError {
  return new FaasError({
    code: 'PROTOCOL',
    executed: 'maybe',
    provider,
    message: `The executor ${provider} (or a layer around it) threw something that is no FaasError: ${String(thrown)}`,
    cause: thrown,
  });
}
