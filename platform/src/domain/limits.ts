/** What the platform accepts. The defaults are those of the custom-FaaS specification 1.0 where it names one. */

const MIB = 1024 * 1024;

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
}

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
};

/** Room for `bytes` bytes written as a JSON array ("255," is the longest) with 64 KiB of other fields. */
export function textBytesFor(bytes: number): number {
  return bytes * 4 + 64 * 1024;
}

/** The defaults with the caller's changes; `maxRequestBytes` follows `maxArgsBytes` unless it is given. */
export function resolveLimits(changes: Partial<PlatformLimits> = {}): PlatformLimits {
  const limits = { ...DEFAULT_LIMITS, ...changes };
  return { ...limits, maxRequestBytes: changes.maxRequestBytes ?? textBytesFor(limits.maxArgsBytes) };
}
