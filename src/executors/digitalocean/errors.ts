/** What a reply that is no success means, on both planes: status and body -> FaasError. One table, tested row by row. */
import {
  type Executed,
  FaasError,
  type FaasErrorCode,
  isFaasErrorCode,
  type RemoteError,
} from '../../core/errors.js';
import type { HttpReply } from '../shared/http.js';
import { type Fields, isObject, parseObject, textOf } from '../shared/json.js';
import { retryAfterMs } from '../shared/retry-after.js';
import type { Place } from '../shared/transport-error.js';

/** `control`: the account's API. `functions`: OpenWhisk, all but calls. `call`: OpenWhisk, a call. */
export type Plane = 'control' | 'functions' | 'call';

interface Meaning {
  readonly code: FaasErrorCode;
  readonly executed: Executed;
  readonly text: string;
}

const refused = (code: FaasErrorCode, text: string): Meaning => ({ code, executed: 'no', text });

const BY_STATUS: ReadonlyMap<number, Meaning> = new Map([
  [400, refused('INVALID_REQUEST', 'refused the request')],
  [401, refused('AUTH', 'refused the credentials. Check `token`, or `accessKey`')],
  [403, refused('AUTH', 'does not allow this. Give the token the scope it names')],
  [404, refused('NOT_FOUND', 'does not know it. Deploy it first')],
  [408, { code: 'TIMEOUT', executed: 'maybe', text: 'ran out of time' }],
  [409, refused('CONFLICT', 'changes it for someone else now')],
  [413, refused('PAYLOAD_TOO_LARGE', 'takes no request of this size')],
  [422, refused('INVALID_REQUEST', 'refused the request')],
  [429, refused('THROTTLED', 'asks to slow down')],
  [500, { code: 'UNAVAILABLE', executed: 'maybe', text: 'failed' }],
  [502, { code: 'UNAVAILABLE', executed: 'maybe', text: 'has a gateway in front that got no answer' }],
  [503, { code: 'UNAVAILABLE', executed: 'maybe', text: 'cannot work now' }],
  [504, { code: 'TIMEOUT', executed: 'maybe', text: 'got no answer in time' }],
] satisfies [number, Meaning][]);

export function replyError(
  reply: HttpReply,
  plane: Plane,
  place: Place,
  redact: (text: string) => string,
): FaasError {
  const body = parseObject(reply.body);
  const meaning = meaningOf(reply.status, body, plane);
  const { provider, functionName, origin } = place;
  const said = textOf(body?.['error']) ?? textOf(body?.['message']);
  const quoted =
    said === undefined
      ? ''
      : `: ${redact(said)
          .slice(0, 300)
          .replace(/[.\s]+$/, '')}`;
  return new FaasError({
    code: meaning.code,
    // Whatever the account's API says, it has run no function.
    executed: plane === 'call' ? meaning.executed : 'no',
    provider,
    functionName,
    status: reply.status,
    retryAfterMs: retryAfterMs(reply.headers['retry-after']) ?? untilReset(reply.headers['ratelimit-reset']),
    message: `${origin} ${meaning.text} (${functionName}, HTTP ${reply.status}${quoted}).`,
  });
}

function meaningOf(status: number, body: Fields | undefined, plane: Plane): Meaning {
  if (body === undefined && status < 500) {
    return {
      code: 'PROTOCOL',
      executed: 'maybe',
      text: 'answered with something that is no JSON. Check `endpoint` and proxies',
    };
  }
  const said = textOf(body?.['error']) ?? textOf(body?.['message']) ?? '';
  // The time limit of a call comes with several statuses, and with no activation.
  if (plane === 'call' && /timed out|time limit|timeout/i.test(said))
    return { code: 'TIMEOUT', executed: 'maybe', text: 'ran out of time' };
  if (status === 422 && /limit reached/i.test(said))
    return refused('CONFIG', 'has no more namespaces to give. Delete one, or ask DigitalOcean for more');
  const known = BY_STATUS.get(status);
  // Only a call has a time limit of its own: elsewhere a server is late, and can be asked again.
  if (plane !== 'call' && known?.code === 'TIMEOUT')
    return { code: 'UNAVAILABLE', executed: 'no', text: known.text };
  if (known !== undefined) return known;
  if (status >= 500) return { code: 'UNAVAILABLE', executed: 'maybe', text: 'failed' };
  if (status >= 300 && status < 400)
    return { code: 'PROTOCOL', executed: 'maybe', text: 'answered with a redirect, which is never followed' };
  return refused('INVALID_REQUEST', 'refused the request');
}

/** What OpenWhisk keeps of a call. */
export interface Activation {
  readonly activationId?: string;
  readonly duration?: number;
  readonly response?: {
    readonly status?: string;
    readonly statusCode?: number;
    readonly success?: boolean;
    readonly result?: unknown;
  };
  readonly annotations?: readonly { readonly key: string; readonly value: unknown }[];
}

/** The error of an activation that did not succeed: of the handler, of the package, or of OpenWhisk itself. */
export function activationError(
  { activationId, response = {} }: Activation,
  status: number,
  place: Place,
): FaasError {
  const { provider, functionName } = place;
  const { code, executed, remote } = failureOf(response);
  return new FaasError({
    code,
    executed,
    provider,
    functionName,
    status,
    requestId: activationId,
    remote,
    message: `${functionName} ${code === 'FUNCTION_ERROR' ? 'failed' : 'did not do its work'} on ${provider}: ${remote.name}: ${remote.message}`,
  });
}

/** 1: the application said so, 2: it could not be started or died, 3: OpenWhisk failed (OpenWhisk, "Activation record"). */
function failureOf({ statusCode, status, result }: NonNullable<Activation['response']>): {
  code: FaasErrorCode;
  executed: Executed;
  remote: RemoteError;
} {
  const error = isObject(result) ? result['error'] : undefined;
  if (isObject(error)) {
    // Our entry: it knows what it says.
    const name = textOf(error['name']) ?? 'Error';
    const stack = textOf(error['stack']);
    const remote = {
      name,
      message: textOf(error['message']) ?? '',
      ...(stack !== undefined && { stack: stack.slice(0, 8000) }),
    };
    const code = isFaasErrorCode(error['code']) ? error['code'] : 'FUNCTION_ERROR';
    const stated = error['executed'];
    return { code, executed: stated === 'no' || stated === 'maybe' ? stated : 'yes', remote };
  }
  const message = textOf(error) ?? status ?? 'The function gave no reason.';
  const remote = { name: status ?? 'Error', message: message.slice(0, 2000) };
  if (/timed out|time limit|exceeded its time/i.test(message))
    return { code: 'TIMEOUT', executed: 'maybe', remote };
  if (statusCode === 3) return { code: 'UNAVAILABLE', executed: 'maybe', remote };
  if (statusCode === 2) return { code: 'FUNCTION_ERROR', executed: 'maybe', remote };
  return { code: 'FUNCTION_ERROR', executed: 'yes', remote };
}

/** Epoch seconds; what is none is no advice. */
function untilReset(header: string | string[] | undefined): number | undefined {
  const seconds = typeof header === 'string' && /^\d{9,11}$/.test(header) ? Number(header) : undefined;
  return seconds === undefined ? undefined : Math.max(0, seconds * 1000 - Date.now());
}
