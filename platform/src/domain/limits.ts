/** What the platform accepts. The defaults are those of the custom-FaaS specification 1.0 where it names one. */

const MIB = 1024 * 1024;

/** Bytes of JSON that the metadata of a call may take, on the way in and on the way out; headers carry it. */
export const MAX_METADATA_BYTES = 8 * 1024;
/** How long a request may wait for an invocation to end. */
export const MAX_WAIT_SECS = 60;

export interface PlatformLimits {
  /** Bytes of one invoke body. Default: four text bytes for each of `maxArgsBytes`, and 64 KiB around them. */
  readonly maxRequestBytes: number;
  /** Bytes of arguments after decoding. Default 6 MiB. */
  readonly maxArgsBytes: number;
  /** Bytes of a result after decoding. Default 6 MiB. */
  readonly maxResultBytes: number;
  /** Bytes of a zip as uploaded. Default 50 MiB (specification 1.0). */
  readonly maxZipBytes: number;
  /** Bytes really inflated out of one zip. Default 250 MiB (specification 1.0). */
  readonly maxUnzippedBytes: number;
  /** Entries of one zip. Default 10 000. */
  readonly maxZipEntries: number;
  /** Tasks (processes and threads) of one call, where a pids cgroup is at hand. Default 512. */
  readonly maxTasks: number;
  readonly memoryMb: { readonly min: number; readonly max: number; readonly step: number };
  readonly timeoutSecs: { readonly min: number; readonly max: number };
  readonly maxConcurrency: { readonly min: number; readonly max: number };
  /** How long the outcome of a call with an idempotency key is kept, from its end. Default and least 300. */
  readonly idempotencyTtlSecs: number;
  /** How long an invocation can be asked for after its end; at least `idempotencyTtlSecs`. Default one day. */
  readonly invocationRetentionSecs: number;
  /** Bytes of args, results and outcomes the records may hold in all. Default 1 GiB. */
  readonly maxStoredBytes: number;
  /** Lines of each function's log. Default 1000; the oldest go first. */
  readonly logRetentionLines: number;
}

/** What the specification promises to those who repeat a call. */
const MIN_IDEMPOTENCY_TTL_SECS = 300;
const MAX_ARGS_BYTES = 6 * MIB;

const DEFAULT_LIMITS: PlatformLimits = {
  maxRequestBytes: textBytesFor(MAX_ARGS_BYTES),
  maxArgsBytes: MAX_ARGS_BYTES,
  maxResultBytes: 6 * MIB,
  maxZipBytes: 50 * MIB,
  maxUnzippedBytes: 250 * MIB,
  maxZipEntries: 10_000,
  maxTasks: 512,
  memoryMb: { min: 128, max: 10_240, step: 64 },
  timeoutSecs: { min: 1, max: 900 },
  maxConcurrency: { min: 1, max: 1000 },
  idempotencyTtlSecs: 300,
  invocationRetentionSecs: 24 * 60 * 60,
  maxStoredBytes: 1024 * MIB,
  logRetentionLines: 1000,
};

/** Room for `bytes` bytes written as a JSON array ("255," is the longest) with 64 KiB of other fields. */
export function textBytesFor(bytes: number): number {
  return bytes * 4 + 64 * 1024;
}

/**
 * The defaults with the caller's changes; `maxRequestBytes` follows `maxArgsBytes` unless it is given.
 * @throws Error for times the specification does not allow
 */
export function resolveLimits(changes: Partial<PlatformLimits> = {}): PlatformLimits {
  const limits = { ...DEFAULT_LIMITS, ...changes };
  if (limits.idempotencyTtlSecs < MIN_IDEMPOTENCY_TTL_SECS)
    throw new Error(`idempotencyTtlSecs must be at least ${MIN_IDEMPOTENCY_TTL_SECS}.`);
  if (limits.invocationRetentionSecs < limits.idempotencyTtlSecs)
    throw new Error('invocationRetentionSecs must be at least idempotencyTtlSecs.');
  return { ...limits, maxRequestBytes: changes.maxRequestBytes ?? textBytesFor(limits.maxArgsBytes) };
}
