/** What Lambda says about a call in the tail of its log: the REPORT line, or platform.report in JSON. */

/** Figures of one call; what the log did not hold is absent. */
export interface LambdaReport {
  readonly executionMs?: number;
  readonly billedMs?: number;
  /** The start of the instance: Init Duration, or Restore Duration of a snapshot. */
  readonly initMs?: number;
  readonly memorySizeMb?: number;
  readonly memoryUsedMb?: number;
  /** `success`, `timeout`, `error`, … where the log states it. */
  readonly status?: string;
}

/** The text of the X-Amz-Log-Result header: the last 4 KB of the log. */
export function decodeTail(header: unknown): string | undefined {
  if (typeof header !== 'string' || header === '') return undefined;
  return Buffer.from(header, 'base64').toString('utf8');
}

/**
 * The report of request `requestId`; undefined when the tail holds none, which means unknown, never zero.
 * A handler can print anything, so the last report wins: Lambda writes its own after the handler has ended.
 */
export function readReport(tail: string, requestId: string | undefined): LambdaReport | undefined {
  const lines = tail.split('\n').reverse();
  for (const line of lines) {
    const report = line.startsWith('{') ? jsonReport(line, requestId) : textReport(line, requestId);
    if (report !== undefined) return report;
  }
  return undefined;
}

const FIELDS: readonly (readonly [keyof LambdaReport, RegExp])[] = [
  ['executionMs', /(?:^|\t| )Duration: ([\d.]+) ms/],
  ['billedMs', /\bBilled Duration: ([\d.]+) ms/],
  ['memorySizeMb', /\bMemory Size: (\d+) MB/],
  ['memoryUsedMb', /\bMax Memory Used: (\d+) MB/],
  ['initMs', /\bInit Duration: ([\d.]+) ms/],
];

function textReport(line: string, requestId: string | undefined): LambdaReport | undefined {
  const head = /^REPORT RequestId: (\S+)\s+(.*)$/.exec(line);
  if (head === null || (requestId !== undefined && head[1] !== requestId)) return undefined;
  const rest = head[2] ?? '';
  const report: Record<string, number | string> = {};
  for (const [name, pattern] of FIELDS) {
    const figure = Number(pattern.exec(rest)?.[1]);
    if (Number.isFinite(figure)) report[name] = figure;
  }
  const restoreMs = Number(/(?<!Billed )Restore Duration: ([\d.]+) ms/.exec(rest)?.[1]);
  if (report['initMs'] === undefined && Number.isFinite(restoreMs)) report['initMs'] = restoreMs;
  const status = /\bStatus: (\w+)/.exec(rest)?.[1];
  if (status !== undefined) report['status'] = status;
  return Object.keys(report).length === 0 ? undefined : report;
}

const JSON_FIELDS = {
  durationMs: 'executionMs',
  billedDurationMs: 'billedMs',
  memorySizeMB: 'memorySizeMb',
  maxMemoryUsedMB: 'memoryUsedMb',
  restoreDurationMs: 'initMs',
  initDurationMs: 'initMs',
} as const;

function jsonReport(line: string, requestId: string | undefined): LambdaReport | undefined {
  let entry: { type?: unknown; record?: { requestId?: unknown; status?: unknown; metrics?: unknown } };
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined; // cut off, or printed by the handler
  }
  const { metrics, requestId: id, status } = entry.record ?? {};
  if (entry.type !== 'platform.report' || typeof metrics !== 'object' || metrics === null) return undefined;
  if (requestId !== undefined && id !== undefined && id !== requestId) return undefined;
  const report: Record<string, number | string> = {};
  for (const [theirs, ours] of Object.entries(JSON_FIELDS)) {
    const figure = (metrics as Record<string, unknown>)[theirs];
    if (typeof figure === 'number' && figure >= 0) report[ours] = figure;
  }
  if (typeof status === 'string') report['status'] = status;
  return Object.keys(report).length === 0 ? undefined : report;
}
