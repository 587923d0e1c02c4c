/** Every failure the platform tells a caller about: one class, one table of codes and statuses. */

const STATUS_BY_CODE = {
  INVALID_REQUEST: 400,
  INVALID_NAME: 400,
  INVALID_CONFIG: 400,
  INVALID_PACKAGE: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  IN_PROGRESS: 409,
  NOT_FINISHED: 409,
  NO_RESULT: 409,
  CANCELLED: 409,
  PRECONDITION_FAILED: 412,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  IDEMPOTENCY_MISMATCH: 422,
  THROTTLED: 429,
  FUNCTION_ERROR: 500,
  OUT_OF_MEMORY: 500,
  BAD_OUTPUT: 500,
  OUTPUT_TOO_LARGE: 500,
  EXECUTION_ERROR: 500,
  INFRASTRUCTURE_ERROR: 500,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
} as const;

export type ErrorCode = keyof typeof STATUS_BY_CODE;

/** Did the function run? `maybe` is for a platform that cannot tell. */
export type Executed = 'no' | 'maybe' | 'yes';

export interface PlatformErrorFacts {
  /** Default `no`. */
  readonly executed?: Executed;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly retryAfterSecs?: number;
  /** Bytes a failing function handed over all the same. */
  readonly result?: Uint8Array;
  readonly cause?: unknown;
}

/** A failure with an HTTP status, a stable code and the fact whether the function ran. */
export class PlatformError extends Error {
  override readonly name = 'PlatformError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly executed: Executed;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryAfterSecs: number | undefined;
  readonly result: Uint8Array | undefined;

  constructor(code: ErrorCode, message: string, facts: PlatformErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.status = STATUS_BY_CODE[code];
    this.executed = facts.executed ?? 'no';
    this.details = facts.details ?? {};
    this.retryAfterSecs = facts.retryAfterSecs;
    this.result = facts.result;
  }
}

/** The error code of the operating system or of Node, such as `ENOENT`; undefined where there is none. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What any caught value says, in one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
