/** What a reply that is no success means: status, platform code and body -> FaasError. One table, tested row by row. */
import {
  type Executed,
  FaasError,
  type FaasErrorCode,
  type FaasErrorOptions,
  type RemoteError,
} from '../../core/errors.js';
import type { HttpReply } from '../shared/http.js';
import { retryAfterMs } from '../shared/retry-after.js';
import type { Place } from '../shared/transport-error.js';
import { isObject, parseObject } from './wire.js';

/** Replaces what must never be read in an error: the caller's own credentials, should a server echo them. */
export type Redact = (text: string) => string;

interface Meaning {
  readonly code: FaasErrorCode;
  /** What is certain when the platform does not say it itself. */
  readonly executed: Executed;
  readonly text: string;
}

const AUTH: Meaning = {
  code: 'AUTH',
  executed: 'no',
  text: 'refused the credentials. Check `auth`, `tls` or `headers`, and the permissions behind them',
};
const NOT_FOUND: Meaning = {
  code: 'NOT_FOUND',
  executed: 'no',
  text: 'does not know the function. Deploy it first',
};
const INVALID: Meaning = { code: 'INVALID_REQUEST', executed: 'no', text: 'refused the request' };
const TOO_LARGE: Meaning = {
  code: 'PAYLOAD_TOO_LARGE',
  executed: 'no',
  text: 'takes no request of this size. Send less',
};
const CONFLICT: Meaning = {
  code: 'CONFLICT',
  executed: 'no',
  text: 'has other content under this name, or changes it now',
};
const CHANGED: Meaning = {
  code: 'CONFLICT',
  executed: 'no',
  text: 'has another version of the function than the one this change is for. Look at it and decide again',
};
const STOPPED: Meaning = { code: 'CANCELLED', executed: 'maybe', text: 'cancelled the invocation' };
const THROTTLED: Meaning = { code: 'THROTTLED', executed: 'no', text: 'asks to slow down' };
const UNAVAILABLE: Meaning = { code: 'UNAVAILABLE', executed: 'maybe', text: 'cannot work now' };
const TIMEOUT: Meaning = {
  code: 'TIMEOUT',
  executed: 'maybe',
  text: 'ran out of time. Raise timeoutSecs or the deadline',
};
const BAD_GATEWAY: Meaning = { ...UNAVAILABLE, text: 'has a gateway in front that got no answer' };
const REDIRECT: Meaning = {
  code: 'PROTOCOL',
  executed: 'maybe',
  text: 'answered with a redirect, which is never followed. Set `baseUrl` or the endpoint to where it points',
};
const FUNCTION_FAILED: Meaning = { code: 'FUNCTION_ERROR', executed: 'yes', text: 'ran and failed' };

/** By the platform's own code: more exact than the status it comes with. */
const BY_CODE: ReadonlyMap<string, Meaning> = new Map([
  ['FUNCTION_ERROR', FUNCTION_FAILED],
  ['OUT_OF_MEMORY', FUNCTION_FAILED],
  ['BAD_OUTPUT', FUNCTION_FAILED],
  [
    'OUTPUT_TOO_LARGE',
    { code: 'PAYLOAD_TOO_LARGE', executed: 'yes', text: 'returned more than the platform takes' },
  ],
  // Spec 1.0 names this code for a process that did not start, but nobody can be sure: see `executed`.
  ['EXECUTION_ERROR', { ...UNAVAILABLE, text: 'could not start the function' }],
  ['INFRASTRUCTURE_ERROR', UNAVAILABLE],
  ['TIMEOUT', TIMEOUT],
  ['THROTTLED', THROTTLED],
  ['UNAVAILABLE', UNAVAILABLE],
  ['INVALID_REQUEST', INVALID],
  ['INVALID_NAME', INVALID],
  ['INVALID_CONFIG', INVALID],
  ['INVALID_PACKAGE', INVALID],
  ['METHOD_NOT_ALLOWED', INVALID],
  ['UNSUPPORTED_MEDIA_TYPE', INVALID],
  ['UNAUTHORIZED', AUTH],
  ['FORBIDDEN', AUTH],
  ['NOT_FOUND', NOT_FOUND],
  ['CONFLICT', CONFLICT],
  ['PRECONDITION_FAILED', CHANGED],
  [
    'IN_PROGRESS',
    {
      code: 'CONFLICT',
      executed: 'maybe',
      text: 'still runs an earlier attempt of this call. Ask again later',
    },
  ],
  [
    'IDEMPOTENCY_MISMATCH',
    { ...INVALID, text: 'knows this call id with another input. Give each call an id of its own' },
  ],
  ['NOT_FINISHED', { code: 'CONFLICT', executed: 'maybe', text: 'has not finished the invocation' }],
  ['NO_RESULT', { code: 'PROTOCOL', executed: 'maybe', text: 'has no result of the invocation' }],
  ['CANCELLED', STOPPED],
  ['PAYLOAD_TOO_LARGE', TOO_LARGE],
] satisfies [string, Meaning][]);

const BY_STATUS: ReadonlyMap<number, Meaning> = new Map([
  [400, INVALID],
  [401, AUTH],
  [403, AUTH],
  [404, NOT_FOUND],
  [405, { ...INVALID, text: 'does not take this method here. Check `baseUrl`, `endpoints` and `api`' }],
  [408, TIMEOUT],
  [409, CONFLICT],
  [412, CHANGED],
  [413, TOO_LARGE],
  [415, INVALID],
  [429, THROTTLED],
  [502, BAD_GATEWAY],
  [503, UNAVAILABLE],
  [504, TIMEOUT],
]);

/** The error for a reply whose status is not 2xx, or that says `success: false` with any status. */
export function replyError(reply: HttpReply, place: Place, redact: Redact): FaasError {
  const body = parseObject(reply.body.toString('utf8')) ?? {};
  return bodyError(reply, body, place, redact);
}

/** The same for a body that has been read. */
export function bodyError(reply: HttpReply, body: Body, place: Place, redact: Redact): FaasError {
  return meaningError(meaningOf(reply.status, body), `HTTP ${reply.status}`, body, place, redact, {
    status: reply.status,
    requestId: requestId(reply),
    retryAfterMs: retryAfterMs(reply.headers['retry-after']),
  });
}

const BY_INVOCATION_STATUS: ReadonlyMap<string, Meaning> = new Map([
  ['failed', FUNCTION_FAILED],
  ['timeout', TIMEOUT],
  ['cancelled', STOPPED],
  ['dead', { ...UNAVAILABLE, text: 'gave up on the invocation after several crashes' }],
]);

/** The error of an asynchronous call that ended without a result; undefined for a status that is none of these. */
export function invocationError(record: Body, place: Place, redact: Redact): FaasError | undefined {
  const { status, code } = record;
  const byStatus = typeof status === 'string' ? BY_INVOCATION_STATUS.get(status) : undefined;
  if (byStatus === undefined) return undefined;
  // Somebody wanted this call to end: no code that a platform chose for it may have it sent again.
  const isCancelled = byStatus === STOPPED;
  const byCode = typeof code === 'string' && !isCancelled ? BY_CODE.get(code) : undefined;
  const meaning = byCode ?? byStatus;
  return meaningError(meaning, `invocation ${status}`, record, place, redact);
}

type Body = Readonly<Record<string, unknown>>;

function meaningError(
  meaning: Meaning,
  seen: string,
  body: Body,
  { provider, functionName, origin }: Place,
  redact: Redact,
  facts: Pick<FaasErrorOptions, 'status' | 'requestId' | 'retryAfterMs'> = {},
): FaasError {
  const remote = meaning.code === 'FUNCTION_ERROR' ? remoteError(body, redact) : undefined;
  const message =
    remote !== undefined
      ? `${functionName} failed on ${provider}: ${remote.name}: ${remote.message}`
      : `${origin} ${meaning.text} (${seen} for ${functionName})${platformText(body, redact)}.`;
  const executed = statedExecuted(body) ?? meaning.executed;
  return new FaasError({ code: meaning.code, executed, provider, functionName, message, remote, ...facts });
}

/** A reply that claims success and makes no sense. */
export function protocolError(reply: HttpReply, executed: Executed, what: string, place: Place): FaasError {
  const { provider, functionName, origin } = place;
  const message = `${origin} ${what} (HTTP ${reply.status} for ${functionName}). Check that it speaks the custom-FaaS spec.`;
  return new FaasError({
    code: 'PROTOCOL',
    executed,
    provider,
    functionName,
    message,
    status: reply.status,
    requestId: requestId(reply),
  });
}

/** The platform's id of the request, when it is one worth keeping. */
export function requestId(reply: HttpReply): string | undefined {
  const value = reply.headers['x-faas-request-id'];
  return typeof value === 'string' && value.length > 0 && value.length <= 200 ? value : undefined;
}

/** The body's own code first; then `success: false`, which speaks of the function at any status; then the status. */
function meaningOf(status: number, body: Body): Meaning {
  const byCode = typeof body['code'] === 'string' ? BY_CODE.get(body['code']) : undefined;
  if (byCode !== undefined) return byCode;
  if (body['success'] === false) return FUNCTION_FAILED;
  const byStatus = BY_STATUS.get(status);
  if (byStatus !== undefined) return byStatus;
  if (status >= 300 && status < 400) return REDIRECT;
  if (status >= 500) return UNAVAILABLE;
  // A 4xx that the spec does not name: refused, but by whom and when is unknown.
  return { ...INVALID, executed: 'maybe' };
}

function statedExecuted(body: Body): Executed | undefined {
  const stated = body['executed'];
  return stated === 'no' || stated === 'maybe' || stated === 'yes' ? stated : undefined;
}

const MAX_TEXT = 2000;
const MAX_STACK = 8000;

function remoteError(body: Body, redact: Redact): RemoteError {
  const details = isObject(body['details']) ? body['details'] : {};
  const read = (value: unknown, maxLength: number) => cleanText(value, maxLength, redact);
  const name = read(details['name'], 200) ?? read(body['code'], 200) ?? 'Error';
  const message =
    read(details['message'], MAX_TEXT) ?? read(body['error'], MAX_TEXT) ?? 'The function gave no reason.';
  // Without a stack of its own, the end of its log is the nearest thing a crashed process left.
  const stack = read(details['stack'], MAX_STACK) ?? read(details['stderr_tail'], MAX_STACK);
  return stack === undefined ? { name, message } : { name, message, stack };
}

/** What the platform says for itself. Only its `error` field: a text body may quote the request. */
function platformText(body: Body, redact: Redact): string {
  const said = cleanText(body['error'], 500, redact);
  return said === undefined ? '' : `: ${said.replace(/\.+$/, '')}`;
}

// Cleaned before it is cut, or half a secret could stay at the end.
function cleanText(value: unknown, maxLength: number, redact: Redact): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  const clean = redact(value);
  return clean.length > maxLength ? `${clean.slice(0, maxLength)}…` : clean;
}
