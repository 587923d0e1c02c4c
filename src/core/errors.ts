/** The one error class. It reports facts (what, where, did it run?); layers decide what to do about them. */

const CODES = [
  'CONFIG', // this program is set up in a way that cannot work
  'AUTH', // credentials are missing, wrong, or lack a permission
  'NOT_FOUND', // the function is not deployed there
  'INVALID_REQUEST', // the input is refused, by a schema or by the provider
  'PAYLOAD_TOO_LARGE', // input or output exceeds a limit
  'UNSUPPORTED', // the provider cannot do this
  'CONFLICT', // something else exists or changes there now
  'THROTTLED', // the provider asks to slow down
  'UNAVAILABLE', // the provider cannot be reached or cannot work now
  'TIMEOUT', // the deadline passed
  'CANCELLED', // the caller gave up
  'REJECTED', // a layer refused to send: open circuit, full queue, spent budget
  'FUNCTION_ERROR', // the handler ran and failed
  'PROTOCOL', // the answer makes no sense
] as const;

/** What a failure means. */
export type FaasErrorCode = (typeof CODES)[number];

/** For a code that came from outside. */
export function isFaasErrorCode(value: unknown): value is FaasErrorCode {
  return (CODES as readonly unknown[]).includes(value);
}

/** Did the function run? `no` and `yes` are certain; `maybe` is everything else. */
export type Executed = 'no' | 'maybe' | 'yes';

/** The error a handler threw, as it arrived from the other side. */
export interface RemoteError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

export interface FaasErrorOptions {
  /** Says what failed, where, and what to do. Must not hold a secret or a byte of a payload. */
  readonly message: string;
  readonly code: FaasErrorCode;
  readonly executed: Executed;
  /** The provider id of the executor, for example `custom-http`. */
  readonly provider?: string | undefined;
  /** The deployed function the call was meant for. */
  readonly functionName?: string | undefined;
  /** The provider's status code, usually HTTP. */
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  /** How long the provider asked to wait before another attempt. */
  readonly retryAfterMs?: number | undefined;
  /** Set once a retry layer gave up: how many attempts were made. An outer retry leaves it alone. */
  readonly attempts?: number | undefined;
  readonly remote?: RemoteError | undefined;
  readonly cause?: unknown;
}

// Registered in the global symbol table, so that two installs of the package recognise each other's errors.
const BRAND = Symbol.for('jobferry.FaasError');

export class FaasError extends Error {
  override readonly name = 'FaasError';
  readonly code: FaasErrorCode;
  readonly executed: Executed;
  readonly provider: string | undefined;
  readonly functionName: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly attempts: number | undefined;
  readonly remote: RemoteError | undefined;
  readonly [BRAND] = true;

  constructor(options: FaasErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.executed = options.executed;
    this.provider = options.provider;
    this.functionName = options.functionName;
    this.status = options.status;
    this.requestId = options.requestId;
    this.retryAfterMs = options.retryAfterMs;
    this.attempts = options.attempts;
    this.remote = options.remote;
  }

  /** True for a FaasError of any install of this package. */
  static is(value: unknown): value is FaasError {
    return typeof value === 'object' && value !== null && BRAND in value;
  }

  /** The same failure with some facts changed; the original becomes the cause unless one is given. */
  with(changes: Partial<FaasErrorOptions>): FaasError {
    return new FaasError({ ...this.toJSON(), remote: this.remote, cause: this, ...changes });
  }

  /** Plain data for logs and the `--json` output: no stack, no cause, absent facts left out. */
  toJSON(): FaasErrorData {
    const data: Record<string, unknown> = {};
    for (const key of DATA_KEYS) {
      if (this[key] !== undefined) data[key] = this[key];
    }
    return data as unknown as FaasErrorData;
  }
}

const DATA_KEYS = [
  'message',
  'code',
  'executed',
  'provider',
  'functionName',
  'status',
  'requestId',
  'retryAfterMs',
  'attempts',
  'remote',
] as const;

export type FaasErrorData = Omit<FaasErrorOptions, 'cause'>;

/** Describes anything that was thrown as the error of a handler. */
export function remoteError(thrown: unknown): RemoteError {
  if (thrown instanceof Error) {
    const { name, message, stack } = thrown;
    return stack === undefined ? { name, message } : { name, message, stack };
  }
  return { name: 'Error', message: `The handler threw a value that is no Error: ${String(thrown)}` };
}

/**
 * Turns whatever a handler threw into a FUNCTION_ERROR that says the function ran. That holds for a FaasError too: an
 * executor which the handler called may say `executed: no`, but the handler itself was running, and nobody may run it
 * again because of that. Only the reason of the call's own `signal` keeps its code: this call timed out or was cancelled.
 */
export function functionError(
  thrown: unknown,
  where: { provider: string; functionName: string },
  call: { readonly signal: AbortSignal },
): FaasError {
  const { provider, functionName } = where;
  if (FaasError.is(thrown) && call.signal.reason === thrown) return thrown.with({ executed: 'yes' });
  const remote = remoteError(thrown);
  return new FaasError({
    provider,
    functionName,
    code: 'FUNCTION_ERROR',
    executed: 'yes',
    message: `${functionName} failed on ${provider}: ${remote.name}: ${remote.message}`,
    remote,
    cause: thrown,
  });
}
