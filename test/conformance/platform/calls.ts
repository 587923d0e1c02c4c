/** Invoke: reading a call, running it in its turn, and answering in the asked-for form. */
import { createHash, randomUUID } from 'node:crypto';
import { type Deployed, dropVersion } from './functions.js';
import { Refusal } from './refusal.js';
import type { Outcome, Reply, Request, Rules } from './rules.js';
import { failure, runBootstrap } from './run-bootstrap.js';

export interface Call {
  readonly jobId: number;
  readonly args: Buffer;
  readonly callId: string;
  readonly givenCallId: string | undefined;
  readonly attempt: number;
  readonly budgetMs: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly wantsRaw: boolean;
  readonly content: string;
}

const RAW = 'application/octet-stream';
const MAX_ARGS = 6 * 1024 * 1024;
export const MAX_METADATA = 4096;
const ID = /^[A-Za-z0-9._:-]{1,128}$/;
const QUEUE_MS = 3000;

export function headerOf(request: Request, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function mediaType(request: Request, header: string): string {
  return (headerOf(request, header) ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** @throws Refusal */
export function parseCall(request: Request, jobOfPath: number | undefined, rules: Rules): Call {
  const offers = (feature: string): boolean => rules.features.includes(feature);
  const context = parseContext(request, offers('call-context'));
  const type = mediaType(request, 'content-type');
  const isRaw = type === RAW && offers('binary');
  if (!isRaw && type !== 'application/json') throw new Refusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'send JSON');
  const { jobId, args } = isRaw ? parseRaw(request, jobOfPath) : parseJson(request.body, rules);
  if (args.length > MAX_ARGS) throw new Refusal(413, 'PAYLOAD_TOO_LARGE', `more than ${MAX_ARGS} bytes`);
  return {
    ...context,
    jobId: rules.jobId(jobId),
    args,
    wantsRaw: offers('binary') && mediaType(request, 'accept') === RAW,
    content: createHash('sha256').update(`${jobId} `).update(args).digest('hex'),
  };
}

function parseRaw(request: Request, jobOfPath: number | undefined): { jobId: number; args: Buffer } {
  const text = headerOf(request, 'x-faas-job-id') ?? (jobOfPath === undefined ? '' : String(jobOfPath));
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffff_ffff) throw invalid('X-Faas-Job-Id must be a u32');
  return { jobId: Number(text), args: request.body };
}

function parseJson(body: Buffer, rules: Rules): { jobId: number; args: Buffer } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw invalid('the body is not JSON in UTF-8');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('the body is no object');
  const { job_id: jobId, args } = value as { job_id?: unknown; args?: unknown };
  if (!rules.validJobId(jobId)) throw invalid('job_id must be a u32');
  if (!Array.isArray(args)) throw invalid('args must be an array');
  const bytes = args.map(rules.byte);
  if (bytes.includes(undefined)) throw invalid('args must hold integers from 0 to 255');
  return { jobId: Number(jobId), args: Buffer.from(bytes as number[]) };
}

function parseContext(request: Request, isOffered: boolean) {
  const plain = {
    givenCallId: undefined,
    callId: randomUUID(),
    attempt: 1,
    budgetMs: undefined,
    metadata: {},
  };
  if (!isOffered) return plain;
  const givenCallId = headerOf(request, 'x-faas-call-id');
  if (givenCallId !== undefined && !ID.test(givenCallId)) throw invalid('X-Faas-Call-Id is unfit');
  const attempt = wholeNumber(request, 'x-faas-attempt', 1) ?? 1;
  const budgetMs = wholeNumber(request, 'x-faas-timeout-ms', 0);
  const metadata = parseMetadata(headerOf(request, 'x-faas-metadata'));
  return { givenCallId, callId: givenCallId ?? plain.callId, attempt, budgetMs, metadata };
}

function wholeNumber(request: Request, name: string, min: number): number | undefined {
  const text = headerOf(request, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text) || Number(text) < min) throw invalid(`${name} is unfit`);
  return Number(text);
}

function parseMetadata(header: string | undefined): Record<string, string> {
  if (header === undefined) return {};
  try {
    if (!/^[A-Za-z0-9_-]*$/.test(header) || header.length * 0.75 > MAX_METADATA) throw new Error('unfit');
    const value: Record<string, unknown> = JSON.parse(Buffer.from(header, 'base64url').toString());
    if (Array.isArray(value) || Object.values(value).some((text) => typeof text !== 'string'))
      throw new Error('no object of strings');
    return value as Record<string, string>;
  } catch {
    throw invalid('X-Faas-Metadata is unfit');
  }
}

/** @throws Refusal for a malformed key */
export function idempotencyKey(request: Request, rules: Rules): string | undefined {
  const key = rules.features.includes('idempotency')
    ? headerOf(request, 'x-faas-idempotency-key')
    : undefined;
  if (key !== undefined && !ID.test(key)) throw invalid('X-Faas-Idempotency-Key is unfit');
  return key;
}

function invalid(message: string): Refusal {
  return new Refusal(400, 'INVALID_REQUEST', message);
}

/** Waits for a place, runs, and gives the place back. A version stays until its last call has ended. */
export async function runCall(
  target: Deployed,
  call: Call,
  rules: Rules,
  caller: AbortSignal,
  options: { onStart?: () => void; queueMs?: number } = {},
): Promise<Outcome> {
  const { closing, running } = rules.life;
  const signal = rules.killsForGoneCaller ? AbortSignal.any([caller, closing]) : closing;
  const outcome = runInTurn(target, call, rules, signal, options);
  running.add(outcome);
  return await outcome.finally(() => running.delete(outcome));
}

async function runInTurn(
  target: Deployed,
  call: Call,
  rules: Rules,
  signal: AbortSignal,
  { onStart, queueMs }: { onStart?: () => void; queueMs?: number },
): Promise<Outcome> {
  const acceptedAt = performance.now();
  const patienceMs = queueMs ?? Math.min(QUEUE_MS, call.budgetMs ?? Number.POSITIVE_INFINITY);
  if (!(await takePlace(target, rules, patienceMs, signal))) {
    const isLate = call.budgetMs !== undefined && performance.now() - acceptedAt >= call.budgetMs - 1;
    return isLate
      ? failure(504, 'TIMEOUT', 'it expired in the queue', 'no')
      : failure(429, 'THROTTLED', 'too many calls at once', 'no');
  }
  const { version } = target;
  const uses = (usesOf.get(version.folder) ?? 0) + 1;
  usesOf.set(version.folder, uses);
  try {
    onStart?.();
    target.total++;
    target.last = new Date().toISOString();
    const left = call.budgetMs === undefined ? undefined : call.budgetMs - (performance.now() - acceptedAt);
    const outcome = await runBootstrap(
      {
        ...call,
        functionId: target.id,
        folder: version.folder,
        config: version.config,
        limitMs: Math.max(1, rules.limitMs(version.config, left)),
        speaksBinary: version.speaksBinary,
        signal,
        onStderr: (text) => target.addLog(text, call.callId),
      },
      rules,
    );
    if (rules.keepsPlace(outcome)) lost.set(version.folder, (lost.get(version.folder) ?? 0) + 1);
    return outcome;
  } finally {
    target.running--;
    target.waiting.shift()?.();
    const left = (usesOf.get(version.folder) ?? 1) - 1;
    usesOf.set(version.folder, left);
    if (left === 0 && retired.has(version.folder)) await dropVersion(version);
  }
}

/** How many calls run a version, by its folder. */
const usesOf = new Map<string, number>();
const retired = new Set<string>();
/** Places of a version that were never given back. */
const lost = new Map<string, number>();

export async function retire(version: Deployed['version']): Promise<void> {
  retired.add(version.folder);
  if ((usesOf.get(version.folder) ?? 0) === 0) await dropVersion(version);
}

async function takePlace(
  target: Deployed,
  rules: Rules,
  patienceMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const endsAt = performance.now() + patienceMs;
  const taken = (): number => {
    const { folder } = target.version;
    const running = rules.placesOf === 'version' ? (usesOf.get(folder) ?? 0) : target.running;
    return running + (lost.get(folder) ?? 0);
  };
  while (taken() >= rules.concurrency(target.version.config)) {
    const leftMs = endsAt - performance.now();
    if (leftMs <= 0 || signal.aborted) return false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(leftMs, 0x7fff_ffff));
      const wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      target.waiting.push(wake);
    });
  }
  if (signal.aborted) return false;
  target.running++;
  return true;
}

export function replyTo(call: Call, outcome: Outcome, rules: Rules): Reply {
  const { status, result, executionMs, metadata, error, code, details, executed } = outcome;
  const inContext = rules.features.includes('call-context');
  const callId = inContext ? { call_id: call.callId } : {};
  const more = inContext && metadata !== undefined ? { metadata } : {};
  const common = { job_id: call.jobId, ...callId };
  if (status !== 200) {
    const body = { ...common, result: [...result], success: false, error, code, details, executed };
    return { status, body, headers: status === 429 || status === 503 ? { 'retry-after': '1' } : {} };
  }
  if (!call.wantsRaw) {
    return {
      status,
      body: { ...common, result: [...result], success: true, execution_ms: executionMs, ...more },
    };
  }
  const encoded = Buffer.from(JSON.stringify(metadata ?? {})).toString('base64url');
  return {
    status,
    body: result,
    headers: {
      'content-type': RAW,
      'x-faas-job-id': String(call.jobId),
      'x-faas-execution-ms': executionMs.toFixed(3),
      ...('metadata' in more && { 'x-faas-metadata': encoded }),
    },
  };
}
