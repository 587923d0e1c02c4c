/** What a correct platform does at the places where others go wrong. A broken platform replaces one of these. */
import { dirname } from 'node:path';
import { failure, type Run } from './run-bootstrap.js';
import { ALL_CHECKS, type UnzipChecks } from './unzip.js';

export interface Config {
  readonly memory_mb: number;
  readonly timeout_secs: number;
  readonly max_concurrency: number;
  readonly env_vars: Readonly<Record<string, string>>;
}

/** How a call ended; status 200 is a success. */
export interface Outcome {
  readonly status: number;
  readonly code?: string;
  readonly error?: string;
  readonly executed: 'no' | 'maybe' | 'yes';
  readonly details: Record<string, unknown>;
  readonly result: Buffer;
  readonly metadata?: Record<string, string>;
  readonly executionMs: number;
}

export interface Ending {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object | Buffer;
  /** Keeps the reply open: calls `write` for each piece until the returned function is called. */
  readonly follow?: (write: (text: string) => void) => () => void;
}

/** From start to close of one platform: nothing of it outlives its close. */
export interface Life {
  readonly closing: AbortSignal;
  readonly running: Set<Promise<unknown>>;
}

export interface Rules {
  readonly life: Life;
  readonly unzip: UnzipChecks;
  /** What becomes of an archive that cannot be read; default: refused. */
  readonly junkIsBootstrap: boolean;
  readonly validName: (id: string) => boolean;
  readonly validJobId: (value: unknown) => boolean;
  readonly jobId: (value: number) => number;
  /** The number of `/job/{n}`; undefined: refused. */
  readonly jobOfPath: (text: string) => number | undefined;
  /** undefined: refused. */
  readonly byte: (value: unknown) => number | undefined;
  readonly lenientConfig: 'no' | 'defaults' | 'unknown-fields';
  readonly sameAgain: 'same' | 'conflict';
  readonly otherContent: 'conflict' | 'overwrite';
  readonly deletes: 'all' | 'nothing' | 'but-counters';
  readonly limitMs: (config: Config, budgetMs: number | undefined) => number;
  readonly environment: (run: Run, home: string) => Record<string, string | undefined>;
  readonly home: string | undefined;
  readonly kill: (pid: number) => void;
  readonly readsWhileWriting: boolean;
  readonly judge: (ending: Ending) => Outcome;
  readonly concurrency: (config: Config) => number;
  readonly killsForGoneCaller: boolean;
  /** Whose calls `max_concurrency` counts: those of the function, or of each of its versions. */
  readonly placesOf: 'function' | 'version';
  /** Does a call that ended so keep its place in its version for ever? */
  readonly keepsPlace: (outcome: Outcome) => boolean;
  readonly warm: (runJob: () => Promise<unknown>) => Promise<number>;
  readonly checksHost: boolean;
  readonly features: readonly string[];
  /** Answers in place of the platform. */
  readonly before: (request: Request) => Reply | undefined;
  /** The last touch. */
  readonly after: (reply: Reply, request: Request) => Reply;
  readonly acceptsUnknownFunction: boolean;
  readonly terminalIsFinal: boolean;
  readonly replays: 'yes' | 'runs-again' | 'whatever-the-content';
  readonly checksPreconditions: boolean;
  readonly key: string | undefined;
}

export const ALL_FEATURES = [
  'call-context',
  'binary',
  'idempotency',
  'async',
  'cancel',
  'list',
  'conditional-replace',
  'logs',
  'head',
];

function isInteger(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

export const CORRECT: Omit<Rules, 'life'> = {
  unzip: ALL_CHECKS,
  junkIsBootstrap: false,
  validName: (id) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(id),
  validJobId: (value) => isInteger(value, 0, 0xffff_ffff),
  jobId: (value) => value,
  jobOfPath: (text) =>
    /^(0|[1-9]\d{0,9})$/.test(text) && Number(text) <= 0xffff_ffff ? Number(text) : undefined,
  byte: (value) => (isInteger(value, 0, 255) ? value : undefined),
  lenientConfig: 'no',
  sameAgain: 'same',
  otherContent: 'conflict',
  deletes: 'all',
  limitMs: (config, budgetMs) => Math.min(config.timeout_secs * 1000, budgetMs ?? Number.POSITIVE_INFINITY),
  environment: (run, home) => ({
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ...run.config.env_vars,
    HOME: home,
    TMPDIR: home,
    FAAS_FUNCTION_ID: run.functionId,
    FAAS_MEMORY_MB: String(run.config.memory_mb),
    FAAS_TIMEOUT_SECS: String(run.config.timeout_secs),
    FAAS_CALL_ID: run.callId,
  }),
  home: undefined,
  kill: (pid) => signalGroup(-pid, 'SIGKILL'),
  readsWhileWriting: true,
  judge: judgeStrictly,
  concurrency: (config) => config.max_concurrency,
  killsForGoneCaller: true,
  placesOf: 'function',
  keepsPlace: () => false,
  warm: async () => 0,
  checksHost: true,
  features: ALL_FEATURES,
  before: () => undefined,
  after: (reply) => reply,
  acceptsUnknownFunction: false,
  terminalIsFinal: true,
  replays: 'yes',
  checksPreconditions: true,
  key: undefined,
};

export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

export function success(result: Buffer, metadata?: Record<string, string>): Outcome {
  const more = metadata === undefined ? {} : { metadata };
  return { status: 200, executed: 'yes', details: {}, result, executionMs: 0, ...more };
}

interface Said {
  readonly success?: boolean;
  readonly result?: unknown;
  readonly result_length?: number;
  readonly error?: string;
  readonly metadata?: Record<string, string>;
}

export function judgeStrictly({ exitCode, signal, stdout, stderr }: Ending): Outcome {
  const details = { ...(stderr !== '' && { stderr_tail: stderr.slice(-4096) }) };
  const [said, raw] = readReply(stdout);
  if (exitCode !== 0 || said?.success === false) {
    const how = signal === null ? { exit_code: exitCode } : { signal };
    const text = said?.error ?? `the bootstrap ended with ${signal ?? exitCode}`;
    return failure(500, 'FUNCTION_ERROR', text, 'yes', { ...details, ...how });
  }
  if (said?.result_length === raw.length && said.result === undefined) return success(raw, said.metadata);
  const result = said?.result;
  if (!Array.isArray(result) || !result.every((item) => isInteger(item, 0, 255)))
    return failure(500, 'BAD_OUTPUT', 'stdout is not one JSON object with a result', 'yes', details);
  return success(Buffer.from(result), said?.metadata);
}

/** JSON alone, or the header line of `binary-1` and what is behind it. */
function readReply(stdout: Buffer): [Said | undefined, Buffer] {
  const none = Buffer.alloc(0);
  const whole = parse(stdout.toString('utf8'));
  if (whole !== undefined && !('result_length' in whole)) return [whole, none];
  const lineEnd = stdout.indexOf(0x0a);
  const head = parse(stdout.subarray(0, lineEnd).toString('utf8'));
  return head !== undefined && 'result_length' in head
    ? [head, stdout.subarray(lineEnd + 1)]
    : [undefined, none];
}

function parse(text: string): Said | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
