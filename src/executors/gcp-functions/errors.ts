/** What a refusal means: Google's status names on the control plane, HTTP on the data plane. Tables, tested row by row. */
import { type Executed, FaasError, type FaasErrorCode } from '../../core/errors.js';
import type { HttpReply } from '../shared/http.js';
import { isObject, parseObject } from '../shared/json.js';
import { retryAfterMs } from '../shared/retry-after.js';
import type { Place } from '../shared/transport-error.js';

/** The names of google.rpc.Code, in the order of their numbers. */
const STATUS_NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export type GoogleStatus = (typeof STATUS_NAMES)[number];

export function statusName(code: unknown): GoogleStatus {
  return (typeof code === 'number' ? STATUS_NAMES[code] : undefined) ?? 'UNKNOWN';
}

interface Meaning {
  readonly code: FaasErrorCode;
  readonly text: string;
}

const BY_NAME: Readonly<Record<GoogleStatus, Meaning>> = {
  OK: { code: 'PROTOCOL', text: 'answered with no answer' },
  CANCELLED: { code: 'UNAVAILABLE', text: 'broke off' },
  UNKNOWN: { code: 'UNAVAILABLE', text: 'failed' },
  INVALID_ARGUMENT: { code: 'INVALID_REQUEST', text: 'refused the request' },
  DEADLINE_EXCEEDED: { code: 'UNAVAILABLE', text: 'did not answer in time' },
  NOT_FOUND: { code: 'NOT_FOUND', text: 'does not know it. Deploy it first' },
  ALREADY_EXISTS: { code: 'CONFLICT', text: 'has it already' },
  PERMISSION_DENIED: { code: 'AUTH', text: 'does not allow this. Give the caller the role it names' },
  RESOURCE_EXHAUSTED: { code: 'THROTTLED', text: 'asks to slow down, or a quota is used up' },
  FAILED_PRECONDITION: { code: 'INVALID_REQUEST', text: 'cannot do this now' },
  ABORTED: { code: 'CONFLICT', text: 'changes it for someone else now' },
  OUT_OF_RANGE: { code: 'INVALID_REQUEST', text: 'refused the request' },
  UNIMPLEMENTED: { code: 'UNSUPPORTED', text: 'cannot do this' },
  INTERNAL: { code: 'UNAVAILABLE', text: 'failed' },
  UNAVAILABLE: { code: 'UNAVAILABLE', text: 'cannot work now' },
  DATA_LOSS: { code: 'UNAVAILABLE', text: 'failed' },
  UNAUTHENTICATED: { code: 'AUTH', text: 'refused the credentials' },
};

/** A refusal of the control plane; nothing there runs a function. */
export function statusError(
  name: GoogleStatus,
  said: string,
  place: Place,
  more: { readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
): FaasError {
  const { code, text } = BY_NAME[name];
  const { provider, functionName, origin } = place;
  const quoted = said === '' ? '' : `: ${said.slice(0, 500).replace(/[.\s]+$/, '')}`;
  return new FaasError({
    code,
    executed: 'no',
    provider,
    functionName,
    message: `${origin} ${text} (${functionName}, ${name}${quoted}).`,
    ...more,
  });
}

/** A refusal of an API that speaks REST: Cloud Run's Admin API, Cloud Logging. */
export function restError(reply: HttpReply, place: Place): FaasError {
  const error = parseObject(reply.body)?.['error'];
  const { status, message } = (isObject(error) ? error : {}) as { status?: unknown; message?: unknown };
  const known = STATUS_NAMES.find((name) => name === status);
  const failure = statusError(
    known ?? nameOfHttp(reply.status),
    typeof message === 'string' ? message : '',
    place,
    { retryAfterMs: retryAfterMs(reply.headers['retry-after']) },
  );
  return failure.with({ status: reply.status });
}

function nameOfHttp(status: number): GoogleStatus {
  if (status === 401) return 'UNAUTHENTICATED';
  if (status === 403) return 'PERMISSION_DENIED';
  if (status === 404) return 'NOT_FOUND';
  if (status === 409) return 'ABORTED';
  if (status === 429) return 'RESOURCE_EXHAUSTED';
  return status >= 500 ? 'UNAVAILABLE' : 'INVALID_ARGUMENT';
}

/** The upload URL answers in XML; its query is a signature and is never quoted. */
export function uploadError({ status, headers, body }: HttpReply, place: Place): FaasError {
  const text = body.toString('utf8');
  const reason = [/<Code>([^<]{1,100})</.exec(text)?.[1], /<Message>([^<]{1,300})</.exec(text)?.[1]];
  const said = reason.filter(Boolean).join(': ');
  const { provider, functionName, origin } = place;
  const code = status === 429 ? 'THROTTLED' : status >= 500 || status === 408 ? 'UNAVAILABLE' : 'PROTOCOL';
  return new FaasError({
    code,
    executed: 'no',
    provider,
    functionName,
    status,
    retryAfterMs: retryAfterMs(headers['retry-after']),
    message: `${origin} did not take the package (${functionName}, HTTP ${status}${said === '' ? '' : `: ${said}`}).`,
  });
}

interface CallMeaning extends Meaning {
  readonly executed: Executed;
}

const refused = (code: FaasErrorCode, text: string): CallMeaning => ({ code, executed: 'no', text });

const BY_STATUS: ReadonlyMap<number, CallMeaning> = new Map([
  [400, refused('INVALID_REQUEST', 'refused the request')],
  [401, refused('AUTH', 'refused the ID token')],
  [403, refused('AUTH', 'does not let this caller in')],
  [404, refused('NOT_FOUND', 'has no function there. Deploy it first')],
  [408, { code: 'TIMEOUT', executed: 'maybe', text: 'ran out of time' }],
  [413, refused('PAYLOAD_TOO_LARGE', 'takes no request of this size')],
  [429, { code: 'THROTTLED', executed: 'maybe', text: 'asks to slow down' }],
  [500, { code: 'UNAVAILABLE', executed: 'maybe', text: 'failed' }],
  [502, { code: 'UNAVAILABLE', executed: 'maybe', text: 'got no answer from the function' }],
  [503, { code: 'UNAVAILABLE', executed: 'maybe', text: 'cannot work now' }],
  [504, { code: 'TIMEOUT', executed: 'maybe', text: 'got no answer in time' }],
] satisfies [number, CallMeaning][]);

/**
 * What Cloud Run says when no instance could take the request, so that nothing ran: its troubleshooting page, for 429
 * and 500. A function of someone else could say the same; ours marks what it says.
 */
const NO_INSTANCE = /no available instance|rate exceeded/i;

/** A reply to a call that did not come from our entry: of Google's front, or of a package without the entry. */
export function callError(reply: HttpReply, place: Place, audience: string): FaasError {
  const { status, headers } = reply;
  const text = reply.body.subarray(0, 2000).toString('utf8');
  const { code, executed, text: what } = meaningOf(status, headers, text);
  const { provider, functionName, origin } = place;
  const advice =
    code === 'AUTH'
      ? ` The token was made for ${audience}; its account needs roles/run.invoker on the function's Cloud Run service.`
      : '';
  const crash = headers['x-google-status'] === 'crash' || headers['x-google-status'] === 'error';
  return new FaasError({
    code,
    executed,
    provider,
    functionName,
    status,
    retryAfterMs: retryAfterMs(headers['retry-after']),
    message: `${origin} ${what} (${functionName}, HTTP ${status}).${advice}`,
    ...(crash && { remote: { name: 'Error', message: text } }),
  });
}

function meaningOf(status: number, headers: HttpReply['headers'], text: string): CallMeaning {
  const said = headers['x-google-status'];
  // Set by functions-framework when the function threw.
  if (said === 'crash' || said === 'error')
    return { code: 'FUNCTION_ERROR', executed: 'yes', text: 'ran the function, which failed' };
  if (status === 200)
    return {
      code: 'PROTOCOL',
      executed: 'maybe',
      text: 'answered without the marks of jobferry’s entry. Package the job for the target gcp-functions',
    };
  if ((status === 429 || status === 500) && NO_INSTANCE.test(text))
    return refused('THROTTLED', 'had no instance for the call');
  const known = BY_STATUS.get(status);
  if (known !== undefined) return known;
  if (status >= 500) return { code: 'UNAVAILABLE', executed: 'maybe', text: 'failed' };
  return { code: 'PROTOCOL', executed: 'maybe', text: 'answered with something that is no answer' };
}
