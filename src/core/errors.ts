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
  /** The class of the error, for example `RangeError`. */
  readonly name: string;
  /** Without the name. */
  readonly message: string;
  /** Absent where the other side sends none. */
  readonly stack?: string;
}

/** What a FaasError is made of; what is absent is not known. */
export interface FaasErrorOptions {
  /** Says what failed, where, and what to do. Must not hold a secret or a byte of a payload. */
  readonly message: string;
  /** What it means. */
  readonly code: FaasErrorCode;
  /** Did the function run? Say `no` or `yes` only when it is certain: somebody may run the job again because of it. */
  readonly executed: Executed;
  /** The provider id of the executor, for example `custom-http`. */
  readonly provider?: string | undefined;
  /** The deployed function the call was meant for. */
  readonly functionName?: string | undefined;
  /** The provider's status code, usually HTTP. */
  readonly status?: number | undefined;
  /** The provider's own id of the request, to find it in the provider's logs. */
  readonly requestId?: string | undefined;
  /** Milliseconds the provider asked to wait before another attempt. */
  readonly retryAfterMs?: number | undefined;
  /** Set once a retry layer gave up: how many requests were sent. An outer retry leaves it alone. */
  readonly attempts?: number | undefined;
  /** What the handler threw. */
  readonly remote?: RemoteError | undefined;
  /** The error below. */
  readonly cause?: unknown;
}

// Registered in the global symbol table, so that two installs of the package recognise each other's errors.
const BRAND = Symbol.for('jobferry.FaasError');
/** What `console.log` calls. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/**
 * A failure, as facts: what it means (`code`), whether the function ran (`executed`), and where. Every error that an
 * executor or a layer reports is one; see docs/errors.md for what is retried.
 */
export class FaasError extends Error {
  override readonly name = 'FaasError';
  /** What it means. */
  readonly code: FaasErrorCode;
  /** Did the function run? Speaks for all attempts together once a retry layer gave up. */
  readonly executed: Executed;
  /** The provider id of the executor, for example `custom-http`. */
  readonly provider: string | undefined;
  /** The deployed function the call was meant for; the job's name where it ran in this process. */
  readonly functionName: string | undefined;
  /** The provider's status code, usually HTTP. */
  readonly status: number | undefined;
  /** The provider's own id of the request. */
  readonly requestId: string | undefined;
  /** Milliseconds the provider, or an open circuit, asked to wait before another attempt. */
  readonly retryAfterMs: number | undefined;
  /** Requests that were sent, once a retry layer gave up; undefined before. */
  readonly attempts: number | undefined;
  /** What the handler threw, for a FUNCTION_ERROR. */
  readonly remote: RemoteError | undefined;
  /** The brand by which `is` knows an error of any install of this package. */
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

  /**
   * A copy with some facts changed. With the same code and message it is the same failure, and keeps its stack and its
   * cause; with others it says something new, and this error becomes its cause. A `cause` that is given counts.
   */
  with(changes: Partial<FaasErrorOptions>): FaasError {
    return changed(this, changes);
  }

  /** Plain data for logs and the `--json` output: no stack, no cause, absent facts left out. */
  toJSON(): FaasErrorData {
    const data: Record<string, unknown> = {};
    for (const key of DATA_KEYS) {
      if (this[key] !== undefined) data[key] = this[key];
    }
    return data as unknown as FaasErrorData;
  }

  /** For `console.log`: each fact once, and one stack, that of what went wrong first. */
  [INSPECT](depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    const { message, remote, ...facts } = this.toJSON();
    const headline = `${this.name}: ${message}`;
    if (depth < 0) return `[${headline}]`;
    const { cause } = this;
    // In this process the cause is the very error that `remote` describes.
    const isTold = remote === undefined || (cause instanceof Error && cause.message === remote.message);
    const below = {
      ...(!isTold && { remote: asIs(remote.stack ?? `${remote.name}: ${remote.message}`) }),
      ...(cause !== undefined && { cause }),
    };
    const frames = Object.keys(below).length > 0 ? '' : framesOf(this.stack);
    return `${headline}${frames} ${inspect({ ...facts, ...below }, options)}`;
  }
}

// Not in the class: a bundler renames a class that mentions itself, and then its errors print as `_FaasError`.
function changed(error: FaasError, changes: Partial<FaasErrorOptions>): FaasError {
  const { code = error.code, message = error.message } = changes;
  const isSame = code === error.code && message === error.message;
  const copy = new FaasError({ ...error.toJSON(), cause: isSame ? error.cause : error, ...changes });
  if (isSame && !('cause' in changes) && error.stack !== undefined) copy.stack = error.stack;
  return copy;
}

/** A text that `inspect` prints without quotes. */
function asIs(text: string): object {
  return { [INSPECT]: () => text };
}

/** The lines of a stack that name places, with the line break before the first. */
function framesOf(stack = ''): string {
  const first = stack.search(/\n\s+at /);
  return first === -1 ? '' : stack.slice(first);
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

/** A FaasError as plain data, as `toJSON` gives it. */
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
