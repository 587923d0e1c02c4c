/** One call on the fake platform: read in either encoding, answered in either, replayed when it was made before. */
import { createHash } from 'node:crypto';
import { find } from './fake-deploys.js';
import { type FakeFeature, Refusal, type RoutedRequest } from './fake-features.js';
import type { FakeCall, FakeFunctions, FakeOutcome, FakeReply } from './fake-functions.js';

export type ReceivedCall = Omit<FakeCall, 'signal'>;

const OCTETS = 'application/octet-stream';
const CALL_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** @throws {Refusal} for what is no call. */
export function readCall(
  request: RoutedRequest,
  functions: FakeFunctions,
  features: ReadonlySet<FakeFeature>,
  name: string,
): ReceivedCall {
  const { headers } = request;
  const { config } = find(functions, name);
  const { jobId, args } =
    headers['content-type'] === OCTETS && features.has('binary')
      ? readBinary(request)
      : readJson(request.body);
  if (args.length > functions.maxArgsBytes) {
    throw new Refusal(413, 'PAYLOAD_TOO_LARGE', `args may have ${functions.maxArgsBytes} bytes`);
  }
  const budgetMs = Math.min(config.timeout_secs * 1000, Number(headers['x-faas-timeout-ms'] ?? Infinity));
  const metadata = headers['x-faas-metadata'];
  return {
    jobId,
    args,
    callId: String(headers['x-faas-call-id'] ?? ''),
    attempt: Number(headers['x-faas-attempt'] ?? 1),
    deadline: Date.now() + budgetMs,
    metadata:
      metadata === undefined ? {} : JSON.parse(Buffer.from(String(metadata), 'base64url').toString('utf8')),
  };
}

/** The reply in the encoding the caller accepts; errors are always JSON. */
export function callReply(
  { status, headers = {}, result, fields }: FakeOutcome,
  call: ReceivedCall,
  request: RoutedRequest,
  features: ReadonlySet<FakeFeature>,
): FakeReply {
  if (result !== undefined && request.headers['accept'] === OCTETS && features.has('binary')) {
    return { status, headers: { ...headers, ...resultHeaders(call, fields) }, body: result };
  }
  const context = features.has('call-context') && call.callId !== '' ? { call_id: call.callId } : {};
  const body = { job_id: call.jobId, result: [...(result ?? [])], ...fields, ...context };
  // A 429 has no result: the function was not reached.
  return { status, headers, body: status === 429 ? fields : body };
}

/** What stands beside the raw bytes of a result. */
export function resultHeaders(
  call: ReceivedCall,
  { execution_ms, cold_start, metadata }: FakeOutcome['fields'],
): Record<string, string> {
  return {
    'content-type': OCTETS,
    'x-faas-job-id': String(call.jobId),
    'x-faas-execution-ms': String(execution_ms),
    'x-faas-cold-start': String(cold_start),
    'x-faas-metadata': Buffer.from(JSON.stringify(metadata)).toString('base64url'),
  };
}

/** The outcomes of calls with an idempotency key; undefined while the first still runs. */
export type Replays = Map<string, { readonly content: string; outcome?: FakeOutcome }>;

/** Runs the call once per key: another with the same key and content gets the outcome of the first. */
export async function runOnce(
  replays: Replays,
  key: string | undefined,
  call: ReceivedCall,
  run: () => Promise<FakeOutcome>,
): Promise<FakeOutcome> {
  if (key === undefined) return run();
  const before = replays.get(key);
  if (before === undefined) {
    const entry: { content: string; outcome?: FakeOutcome } = { content: contentOf(call) };
    replays.set(key, entry);
    const outcome = await run();
    if (outcome.fields['executed'] === 'no') replays.delete(key);
    else entry.outcome = outcome;
    return outcome;
  }
  if (before.content !== contentOf(call)) {
    throw new Refusal(422, 'IDEMPOTENCY_MISMATCH', 'the key belongs to another call');
  }
  const { outcome } = before;
  if (outcome === undefined) {
    const more = { headers: { 'retry-after': '1' }, executed: 'maybe' } as const;
    throw new Refusal(409, 'IN_PROGRESS', 'the first call with this key still runs', more);
  }
  return { ...outcome, headers: { ...outcome.headers, 'x-faas-replayed': 'true' } };
}

/** The key of a request within its function, where the platform knows keys. */
export function replayKey(
  { headers }: RoutedRequest,
  features: ReadonlySet<FakeFeature>,
  name: string,
): string | undefined {
  const key = headers['x-faas-idempotency-key'];
  if (key === undefined || !features.has('idempotency')) return undefined;
  if (!CALL_ID.test(String(key)))
    throw new Refusal(400, 'INVALID_REQUEST', 'the idempotency key is not valid');
  return `${name} ${String(key)}`;
}

export function contentOf({ jobId, args }: ReceivedCall): string {
  return createHash('sha256').update(`${jobId} `).update(args).digest('hex');
}

function readBinary({ headers, path, body }: RoutedRequest): { jobId: number; args: Uint8Array } {
  const byPath = /^\/job\/(\d+)$/.exec(path)?.[1];
  const jobId = Number(byPath ?? headers['x-faas-job-id']);
  if (!isU32(jobId))
    throw new Refusal(400, 'INVALID_REQUEST', 'X-Faas-Job-Id must be an unsigned 32-bit integer');
  return { jobId, args: Uint8Array.from(body) };
}

function readJson(body: Buffer): { jobId: number; args: Uint8Array } {
  const refuse = (problem: string) => new Refusal(400, 'INVALID_REQUEST', problem);
  let call: { job_id?: unknown; args?: unknown };
  try {
    call = JSON.parse(body.toString('utf8')) as typeof call;
  } catch {
    throw refuse('the body is not JSON');
  }
  const { job_id: jobId, args } = call ?? {};
  if (!isU32(jobId)) throw refuse('job_id must be an unsigned 32-bit integer');
  const isByte = (value: unknown) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
  if (!Array.isArray(args) || !args.every(isByte))
    throw refuse('args must be an array of integers from 0 to 255');
  return { jobId, args: Uint8Array.from(args as number[]) };
}

function isU32(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}
