/** What the runner says when a call ends for a reason that lies neither in its job nor in its executor. */
import { FaasError } from '../core/errors.js';

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
