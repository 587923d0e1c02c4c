/** What a request without a complete reply means, for every executor that speaks HTTP: how far it got -> FaasError. */
import { type Executed, FaasError, type FaasErrorCode } from '../../core/errors.js';

/**
 * How far a request got: `queued` = no byte of it was written, so the server cannot have acted on it;
 * `sent` = the server may have it; `replying` = the status line has arrived.
 */
export type HttpPhase = 'queued' | 'sent' | 'replying';

/** Why there is no complete reply. */
export interface HttpFailure {
  readonly kind: 'transport' | 'cancelled';
  readonly phase: HttpPhase;
  /** The status, when the head of the reply had arrived. */
  readonly status: number | undefined;
  readonly cause: unknown;
}

/** Where a request went, for the text of its error. Never a path or a query: they may hold keys. */
export interface Place {
  readonly provider: string;
  readonly functionName: string;
  readonly origin: string;
}

/** The FaasError for a request without a complete reply: one table for every executor. */
export function transportError(failure: HttpFailure, place: Place): FaasError {
  switch (failure.kind) {
    case 'cancelled':
      return cancelError(failure, place);
    case 'transport':
      return failure.phase === 'replying' ? brokenReply(failure, place) : noReply(failure, place);
  }
}

/**
 * The FaasError for a reply that was cut off by this side.
 * @param option the executor's option for `maxBytes`, where it has one
 */
export function tooLargeError(
  maxBytes: number,
  option: string | undefined,
  status: number,
  place: Place,
): FaasError {
  const advice = option === undefined ? 'Return less' : `Raise \`${option}\`, or return less`;
  const text = `answered with more than the ${maxBytes} bytes that this client takes. ${advice}`;
  return fail(place, 'PAYLOAD_TOO_LARGE', afterStatus(status), text, undefined, status);
}

/** A cancelled wait: the reason keeps its code, `executed` says how far this request got. */
function cancelError(failure: HttpFailure, place: Place): FaasError {
  const executed = failure.phase === 'queued' ? 'no' : 'maybe';
  const { provider, functionName } = place;
  if (FaasError.is(failure.cause)) return failure.cause.with({ executed, provider, functionName });
  return fail(place, 'CANCELLED', executed, 'was cancelled by its caller', failure.cause);
}

function brokenReply(failure: HttpFailure, place: Place): FaasError {
  if (errorCode(failure.cause) === 'UND_ERR_BODY_TIMEOUT') {
    return fail(
      place,
      'TIMEOUT',
      afterStatus(failure.status),
      'stopped in the middle of its reply',
      failure.cause,
      failure.status,
    );
  }
  const what = 'sent a reply that is cut off or is no HTTP. Check what stands between this client and it';
  return fail(place, 'PROTOCOL', afterStatus(failure.status), what, failure.cause, failure.status);
}

function noReply(failure: HttpFailure, place: Place): FaasError {
  const executed = failure.phase === 'queued' ? 'no' : 'maybe';
  const code = errorCode(failure.cause);
  const row = code === undefined ? undefined : CONNECTION_ERRORS.get(code);
  if (row !== undefined) return fail(place, row.code, executed, row.text, failure.cause);
  if (isParserError(failure.cause)) {
    return fail(place, 'PROTOCOL', executed, 'does not speak HTTP/1.1. Check the URL', failure.cause);
  }
  if (code !== undefined && TLS_CODE.test(code)) {
    return fail(
      place,
      'UNAVAILABLE',
      executed,
      `did not agree on a TLS connection (${code}). Check the scheme and the \`tls\` option`,
      failure.cause,
    );
  }
  const text =
    failure.phase === 'queued' ? 'cannot be reached. Check the URL and the network' : hungUp(place);
  return fail(place, 'UNAVAILABLE', executed, code === undefined ? text : `${text} (${code})`, failure.cause);
}

function hungUp({ origin }: Place): string {
  const text = 'closed the connection before it answered';
  // With TLS 1.3 this is how many servers turn a client without the right certificate away.
  return origin.startsWith('https:')
    ? `${text}. If it asks for client certificates, check \`tls.cert\``
    : text;
}

/** Only a 2xx says that the function ran; any other status was decided before its body came. */
function afterStatus(status: number | undefined): Executed {
  return status !== undefined && status >= 200 && status < 300 ? 'yes' : 'maybe';
}

const TLS_CODE = /^(ERR_SSL_|ERR_TLS_|EPROTO$|CERT_|UNABLE_TO_|ERR_OSSL_)/;

const HANDSHAKE_REFUSED = unavailable(
  'refused the TLS handshake. It may ask for a client certificate: check `tls.cert` and `tls.key`',
);

const CONNECTION_ERRORS: ReadonlyMap<string, { code: FaasErrorCode; text: string }> = new Map([
  ['ENOTFOUND', unavailable('has a host name that does not exist. Check the URL')],
  ['EAI_AGAIN', unavailable('has a host name that cannot be resolved now. Check the DNS')],
  ['ECONNREFUSED', unavailable('refused the connection. Check the port and that the server runs')],
  [
    'UND_ERR_CONNECT_TIMEOUT',
    unavailable('did not accept a connection in time. Check the network, or raise connectTimeoutMs'),
  ],
  ['ERR_TLS_CERT_ALTNAME_INVALID', certificate('is made out for another host name')],
  ['CERT_HAS_EXPIRED', certificate('has expired')],
  ['CERT_NOT_YET_VALID', certificate('is not valid yet')],
  ['CERT_REVOKED', certificate('was revoked')],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', certificate('is self-signed')],
  ['SELF_SIGNED_CERT_IN_CHAIN', certificate('comes from an authority this client does not trust')],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', certificate('comes from an authority this client does not trust')],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', certificate('comes from an authority this client does not trust')],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', clientCertificate('asks for a client certificate')],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', HANDSHAKE_REFUSED],
  ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', HANDSHAKE_REFUSED],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', clientCertificate('does not trust the client certificate')],
  ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', clientCertificate('refused the client certificate')],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', clientCertificate('refused the client certificate')],
  [
    'UND_ERR_HEADERS_TIMEOUT',
    { code: 'TIMEOUT', text: 'did not answer for too long. Give the call a deadline' },
  ],
  ['UND_ERR_HEADERS_OVERFLOW', { code: 'PROTOCOL', text: 'sent a reply with too many headers' }],
  ['UND_ERR_CLOSED', { code: 'CONFIG', text: 'was not asked: the executor is closed' }],
  ['UND_ERR_DESTROYED', { code: 'CONFIG', text: 'was not asked: the executor is closed' }],
  [
    'UND_ERR_INVALID_ARG',
    { code: 'INVALID_REQUEST', text: 'was not asked: the request cannot be written as HTTP' },
  ],
] satisfies [string, { code: FaasErrorCode; text: string }][]);

function unavailable(text: string): { code: FaasErrorCode; text: string } {
  return { code: 'UNAVAILABLE', text };
}

function certificate(text: string): { code: FaasErrorCode; text: string } {
  return unavailable(
    `has a TLS certificate that ${text}. Mend the certificate, or name its authority in \`tls.ca\``,
  );
}

function clientCertificate(text: string): { code: FaasErrorCode; text: string } {
  return { code: 'AUTH', text: `${text}. Check \`tls.cert\` and \`tls.key\`` };
}

function isParserError(cause: unknown): cause is Error {
  return cause instanceof Error && cause.name === 'HTTPParserError';
}

/** undici's parser keeps the bytes it could not read on its error; an error of ours holds no byte of a reply. */
function withoutBytes(cause: unknown): unknown {
  return isParserError(cause) ? new Error(cause.message) : cause;
}

function errorCode(cause: unknown): string | undefined {
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

function fail(
  place: Place,
  code: FaasErrorCode,
  executed: Executed,
  text: string,
  cause: unknown,
  status?: number,
): FaasError {
  const { provider, functionName, origin } = place;
  const message = `${origin} ${text} (calling ${functionName}).`;
  return new FaasError({
    code,
    executed,
    provider,
    functionName,
    status,
    message,
    cause: withoutBytes(cause),
  });
}
