/**
 * What a reply that is no success means: status, headers and body -> FaasError. Two tables, tested row by row: of the
 * control plane, where no function runs, and of calls, where who answered decides what happened.
 */
import { type Executed, FaasError, type FaasErrorCode } from '../../core/errors.js';
import type { HttpReply } from '../shared/http.js';
import { isObject, parseObject, textOf } from '../shared/json.js';
import { retryAfterMs } from '../shared/retry-after.js';
import type { Place } from '../shared/transport-error.js';

interface Meaning {
  readonly code: FaasErrorCode;
  readonly text: string;
}

const CONTROL: ReadonlyMap<number, Meaning> = new Map([
  [400, { code: 'INVALID_REQUEST', text: 'refused the request' }],
  [401, { code: 'AUTH', text: 'refused the credentials. Check `auth`, or `apiKey` and `authToken`' }],
  [403, { code: 'AUTH', text: 'does not allow this' }],
  [404, { code: 'NOT_FOUND', text: 'does not know it' }],
  [405, { code: 'UNSUPPORTED', text: 'has no such operation. Check `url` and `profile`' }],
  [408, { code: 'UNAVAILABLE', text: 'ran out of time' }],
  [409, { code: 'CONFLICT', text: 'has one already, or changes it now' }],
  [413, { code: 'PAYLOAD_TOO_LARGE', text: 'takes no request of this size' }],
  [422, { code: 'INVALID_REQUEST', text: 'refused the request' }],
  [429, { code: 'THROTTLED', text: 'asks to slow down' }],
  [501, { code: 'UNSUPPORTED', text: 'cannot do this' }],
  [502, { code: 'UNAVAILABLE', text: 'cannot reach what is behind it' }],
] satisfies [number, Meaning][]);

/** Of a request that was no call: whatever it says, no function ran. The server's own text is kept. */
export function controlError(reply: HttpReply, place: Place, redact: (text: string) => string): FaasError {
  const said = saidIn(reply.body);
  const { code, text } = controlMeaning(reply.status, said);
  const { provider, functionName, origin } = place;
  return new FaasError({
    code,
    executed: 'no',
    provider,
    functionName,
    status: reply.status,
    retryAfterMs: retryAfterMs(reply.headers['retry-after']),
    message: `${origin} ${text} (${functionName}, HTTP ${reply.status}${quoted(redact(said))}).`,
  });
}

function controlMeaning(status: number, said: string): Meaning {
  // faas-netes reports what Kubernetes refused as 500.
  if (status === 500 && /already exists/i.test(said))
    return { code: 'CONFLICT', text: 'has one of this name already' };
  if (status === 500 && /not found|unable to lookup function/i.test(said))
    return { code: 'NOT_FOUND', text: 'does not know it' };
  const known = CONTROL.get(status);
  if (known !== undefined) return known;
  if (status >= 500) return { code: 'UNAVAILABLE', text: 'failed' };
  if (status >= 300 && status < 400)
    return { code: 'PROTOCOL', text: 'answered with a redirect, which is never followed. Check `url`' };
  if (status < 300) return { code: 'PROTOCOL', text: 'answered with a status that makes no sense here' };
  return { code: 'INVALID_REQUEST', text: 'refused the request' };
}

/** Who wrote the reply to a call: these headers are made by a gateway or a watchdog, never by a function's code. */
const INTERNAL = 'x-openfaas-internal';
const DURATION = 'x-duration-seconds';

/** The watchdog adds it to what a function answered: evidence that one ran. */
export function durationMs({ headers }: HttpReply): number | undefined {
  const seconds = headers[DURATION];
  return typeof seconds === 'string' && /^\d+(\.\d+)?$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}

/** The gateway's name for the call, where it says one. */
export function gatewayCallId({ headers }: HttpReply): string | undefined {
  return textOf(headers['x-call-id']);
}

interface CallMeaning extends Meaning {
  readonly executed: Executed;
}

const no = (code: FaasErrorCode, text: string): CallMeaning => ({ code, executed: 'no', text });
const maybe = (code: FaasErrorCode, text: string): CallMeaning => ({ code, executed: 'maybe', text });

/** Texts of gateways and watchdogs, which hold nothing of a payload. */
const TEXTS: readonly (readonly [status: number, text: RegExp, meaning: CallMeaning])[] = [
  [
    404,
    /^error finding function .*status code \(404\)/s,
    no('NOT_FOUND', 'does not know it. Deploy it first'),
  ],
  [404, /^error finding function /, no('UNAVAILABLE', 'cannot reach its provider')],
  [404, /^404 page not found/, no('NOT_FOUND', 'has no such path. Check `url`')],
  [
    503,
    /^No endpoints available for/,
    no('UNAVAILABLE', 'has no copy of it: it is not deployed, or at zero'),
  ],
  [429, /^Concurrent request limit exceeded/, no('THROTTLED', 'runs as many calls of it as it may')],
  [
    408,
    /^Killed process/,
    { code: 'TIMEOUT', executed: 'yes', text: 'killed it: it took longer than its `timeoutSecs`' },
  ],
  [
    500,
    /^(exit status \d+|signal: )/,
    { code: 'FUNCTION_ERROR', executed: 'yes', text: 'saw its process end with a failure' },
  ],
  [500, /^Error queuing request/, maybe('UNAVAILABLE', 'could not queue the call')],
];

/** Errors that a watchdog or a gateway marks as its own. */
const INTERNAL_MEANINGS: ReadonlyMap<number, CallMeaning> = new Map([
  [429, no('THROTTLED', 'runs as many calls of it as it may')],
  [500, maybe('FUNCTION_ERROR', 'saw it drop the connection: its process died, or does not listen')],
  [502, maybe('UNAVAILABLE', 'got no answer from it')],
  [503, no('UNAVAILABLE', 'has no copy of it that is ready')],
  [504, maybe('TIMEOUT', 'waited for it as long as `timeoutSecs` or the gateway allows')],
]);

/** Statuses that nobody has put a name to. */
const BY_STATUS: ReadonlyMap<number, CallMeaning> = new Map([
  [401, no('AUTH', 'refused the credentials of the call. Check `callAuth`')],
  [403, no('AUTH', 'does not allow this call. Check `callAuth`')],
  [404, no('NOT_FOUND', 'does not know it. Deploy it first')],
  [405, no('UNSUPPORTED', 'takes no POST there. Check `url`')],
  [408, maybe('TIMEOUT', 'ran out of time')],
  [413, no('PAYLOAD_TOO_LARGE', 'takes no input of this size')],
  [429, no('THROTTLED', 'asks to slow down')],
  [431, no('PAYLOAD_TOO_LARGE', 'takes no headers of this size: put metadata into the input')],
  [500, maybe('UNAVAILABLE', 'failed')],
  [502, maybe('UNAVAILABLE', 'got no answer from it')],
  [503, maybe('UNAVAILABLE', 'cannot work now')],
  [504, maybe('TIMEOUT', 'waited for it as long as it may')],
]);

/**
 * Of a call that no entry of ours answered.
 * @param payload `raw`: a function may answer with any status, so only marks of the platform are taken for its own words
 */
export function callError(reply: HttpReply, payload: 'entry' | 'raw', place: Place): FaasError {
  const said = reply.body.subarray(0, 400).toString('utf8');
  const isMarked = reply.headers[INTERNAL] !== undefined;
  const known = TEXTS.find(([status, text]) => status === reply.status && text.test(said));
  const { provider, functionName, origin } = place;
  const facts = {
    provider,
    functionName,
    status: reply.status,
    requestId: gatewayCallId(reply),
    retryAfterMs: retryAfterMs(reply.headers['retry-after']),
  };
  if (known === undefined && !isMarked && payload === 'raw') return functionFailed(reply, facts);
  const { code, executed, text } = known?.[2] ?? platformMeaning(reply.status, isMarked);
  const quote = known === undefined ? '' : quoted(said);
  const message = `${origin} ${text} (calling ${functionName}, HTTP ${reply.status}${quote}).`;
  return new FaasError({ ...facts, code, executed, message });
}

function platformMeaning(status: number, isMarked: boolean): CallMeaning {
  const marked = isMarked ? INTERNAL_MEANINGS.get(status) : undefined;
  if (marked !== undefined) return marked;
  const known = BY_STATUS.get(status);
  if (known !== undefined) return known;
  if (status < 300)
    return maybe(
      'PROTOCOL',
      'answered, and no entry of jobferry did. Package it for this executor, set `payload` to `raw`, or see whether it woke from zero in time',
    );
  if (status < 400) return maybe('PROTOCOL', 'answered with a redirect, which is never followed');
  return status < 500 ? maybe('INVALID_REQUEST', 'refused the call') : maybe('UNAVAILABLE', 'failed');
}

/** Its own status is all that a raw function says. Without the watchdog's mark nobody knows that it was the function. */
function functionFailed(
  reply: HttpReply,
  facts: { readonly provider: string; readonly functionName: string; readonly status: number },
): FaasError {
  const { status, provider, functionName } = facts;
  const ran = durationMs(reply) !== undefined;
  const unsaid = ran ? undefined : unsaidMeaning(status);
  if (unsaid !== undefined) {
    const message = `${functionName} was answered by ${provider} or by itself with HTTP ${status}: nothing tells which.`;
    return new FaasError({ ...facts, code: unsaid, executed: 'maybe', message });
  }
  const isText = /^(text\/|application\/(problem\+)?json)/.test(
    String(reply.headers['content-type'] ?? 'text/'),
  );
  const text = isText ? reply.body.subarray(0, 2000).toString('utf8').trim() : '';
  const remote = { name: 'HttpError', message: text === '' ? `HTTP ${status}` : text };
  return new FaasError({
    ...facts,
    code: 'FUNCTION_ERROR',
    executed: ran ? 'yes' : 'maybe',
    remote,
    message: `${functionName} failed on ${provider}: it answered with HTTP ${status}.`,
  });
}

function unsaidMeaning(status: number): FaasErrorCode | undefined {
  switch (status) {
    case 401:
    case 403:
      return 'AUTH';
    case 404:
      return 'NOT_FOUND';
    case 413:
      return 'PAYLOAD_TOO_LARGE';
    case 429:
      return 'THROTTLED';
    case 502:
    case 503:
      return 'UNAVAILABLE';
    case 504:
      return 'TIMEOUT';
    default:
      return status >= 300 && status < 400 ? 'PROTOCOL' : undefined;
  }
}

const MAX_QUOTE = 300;

function quoted(text: string): string {
  const clean = text
    .trim()
    .slice(0, MAX_QUOTE)
    .replace(/[.\s]+$/, '');
  return clean === '' ? '' : `: ${clean}`;
}

/** Plain text of a gateway, or the words in E2E's JSON. */
export function saidIn(body: Buffer): string {
  const fields = parseObject(body);
  if (fields === undefined) return body.subarray(0, 2000).toString('utf8');
  for (const name of ['message', 'error', 'errors', 'detail', 'error_message']) {
    const value = fields[name];
    if (typeof value === 'string' && value !== '') return value;
    if (isObject(value) && typeof value['message'] === 'string') return value['message'];
    if (isObject(value) || (Array.isArray(value) && value.length > 0)) return JSON.stringify(value);
  }
  return '';
}
