/**
 * An entry for clouds whose functions are HTTP: one POST a call, raw bytes as the body, the facts of the call in the
 * headers of the custom-FaaS spec. Every reply says that it comes from here, so that nobody takes the error page of a
 * gateway for an answer of the function.
 */
import { randomUUID } from 'node:crypto';
import { FaasError, remoteError } from '../../../core/errors.js';
import { checkJobId, type JobCall } from '../../../core/job.js';
import { decodeMetadata, encodeMetadata, figureOf, OCTETS } from '../call-headers.js';
import type { CallRunner } from './runner.js';

export interface EntryRequest {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

export interface EntryReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export type HttpEntry = (request: EntryRequest) => Promise<EntryReply>;

/** A ping may hold its instance this long, so that several pings need several instances. */
const MAX_HOLD_MS = 10_000;

/**
 * @param load makes the runner, once, at the first request: secrets first, then the code that may read them. What it
 * throws answers every call, as a function that could not be started.
 */
export function httpEntry(load: () => Promise<CallRunner>): HttpEntry {
  const instance = randomUUID();
  let loading: Promise<CallRunner> | undefined;
  let isCold = true;
  return async (request) => {
    const coldStart = isCold;
    isCold = false;
    const own = { 'x-faas-entry': '1', 'x-faas-instance': instance, 'x-faas-cold-start': String(coldStart) };
    try {
      loading ??= load();
      const runner = await loading.catch(cannotStart);
      const holdMs = figureOf(request.headers['x-faas-warm']);
      if (holdMs !== undefined) return await warmReply(own, holdMs);
      return await answer(runner, request, own);
    } catch (thrown) {
      return failureReply(own, thrown);
    }
  };
}

type OwnHeaders = Readonly<Record<string, string>>;

async function answer(runner: CallRunner, request: EntryRequest, own: OwnHeaders): Promise<EntryReply> {
  const call = readCall(request);
  const startedMs = performance.now();
  const { result, metadata } = await runner(call);
  const headers = {
    ...own,
    'content-type': OCTETS,
    'x-faas-job-id': String(call.jobId),
    'x-faas-execution-ms': (performance.now() - startedMs).toFixed(3),
    'x-faas-metadata': encodeMetadata(metadata),
  };
  return { status: 200, headers, body: result };
}

/** @throws {FaasError} INVALID_REQUEST with the name of the header which is wrong */
function readCall({ headers, body }: EntryRequest): JobCall {
  const jobId = figureOf(headers['x-faas-job-id']);
  if (jobId === undefined) throw invalid('x-faas-job-id is missing or is no number');
  const callId = headers['x-faas-call-id'];
  const timeoutMs = figureOf(headers['x-faas-timeout-ms']);
  return {
    jobId: checkJobId(jobId),
    args: body,
    callId: typeof callId === 'string' ? callId : '',
    attempt: figureOf(headers['x-faas-attempt']) ?? 1,
    deadline: timeoutMs === undefined ? Infinity : Date.now() + timeoutMs,
    idempotent: false,
    metadata: decodeMetadata(headers['x-faas-metadata']) ?? {},
  };
}

async function warmReply(own: OwnHeaders, holdMs: number): Promise<EntryReply> {
  await new Promise((resolve) => setTimeout(resolve, Math.min(holdMs, MAX_HOLD_MS)));
  return { status: 200, headers: own, body: new Uint8Array(0) };
}

function cannotStart(thrown: unknown): never {
  const { name, message, stack } = remoteError(thrown);
  throw new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `The package cannot be loaded: ${name}: ${message}`,
    remote: stack === undefined ? { name, message } : { name, message, stack },
  });
}

/** 400 for input that the job refuses, 500 for all else: what the cloud's own error rate should count. */
function failureReply(own: OwnHeaders, thrown: unknown): EntryReply {
  const error = FaasError.is(thrown) ? thrown : undefined;
  const details = error === undefined ? remoteError(thrown) : error.remote;
  const body = {
    error: error?.message ?? details?.message ?? 'The function gave no reason.',
    code: error?.code ?? 'FUNCTION_ERROR',
    executed: error?.executed ?? 'yes',
    ...(details !== undefined && { details }),
  };
  return {
    status: body.code === 'INVALID_REQUEST' ? 400 : 500,
    headers: { ...own, 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(body)),
  };
}

function invalid(what: string): FaasError {
  return new FaasError({
    code: 'INVALID_REQUEST',
    executed: 'no',
    message: `Not a call of jobferry: ${what}.`,
  });
}
