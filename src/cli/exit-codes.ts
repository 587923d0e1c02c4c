/** What the exit code of the command says. */
import { FaasError, type FaasErrorCode } from '../index.js';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  auth: 3,
  notFound: 4,
  conflict: 5,
  timeout: 6,
  unavailable: 7,
  /** 128 + SIGINT, as shells report it. */
  interrupted: 130,
} as const;

/** With --detailed-exitcode: what the file declares is not what is there. Every error is 1 then. */
export const CHANGES = 2;

export const EXIT_CODES_HELP = `
Exit codes:
  0  ok                        4  function or job not found
  1  a job or a check failed   5  conflict with what exists there
  2  wrong usage or input      6  timed out
  3  key missing or refused    7  platform cannot be reached or is busy
  130  interrupted`;

const BY_CODE: Record<FaasErrorCode, number> = {
  CONFIG: EXIT.usage,
  INVALID_REQUEST: EXIT.usage,
  PAYLOAD_TOO_LARGE: EXIT.usage,
  UNSUPPORTED: EXIT.usage,
  AUTH: EXIT.auth,
  NOT_FOUND: EXIT.notFound,
  CONFLICT: EXIT.conflict,
  TIMEOUT: EXIT.timeout,
  UNAVAILABLE: EXIT.unavailable,
  THROTTLED: EXIT.unavailable,
  REJECTED: EXIT.unavailable,
  CANCELLED: EXIT.interrupted,
  FUNCTION_ERROR: EXIT.failed,
  PROTOCOL: EXIT.failed,
};

export function exitCodeOf(error: unknown): number {
  return FaasError.is(error) ? BY_CODE[error.code] : EXIT.failed;
}

/** Wrong input on the command line that the option parser cannot see. */
export function usageError(message: string): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message });
}
