/** What a refusal of the Lambda API means: its error type, else its status -> FaasError. One table, tested row by row. */
import { type Executed, FaasError, type FaasErrorCode } from '../../core/errors.js';
import { isObject } from '../shared/entry/event.js';
import type { HttpReply } from '../shared/http.js';
import { retryAfterMs } from '../shared/retry-after.js';
import type { Place } from '../shared/transport-error.js';

/** `invoke` asks for a run, `control` never does: nothing that fails there has executed a function. */
export type Phase = 'invoke' | 'control';

interface Meaning {
  readonly code: FaasErrorCode;
  /** For the phase `invoke`. */
  readonly executed: Executed;
  readonly text: string;
}

function refused(code: FaasErrorCode, text: string): Meaning {
  return { code, executed: 'no', text };
}

const AUTH = refused('AUTH', 'refused the credentials, or they lack a permission');
const EXPIRED = refused('AUTH', 'calls the credentials expired. Renew them');
const THROTTLED = refused('THROTTLED', 'asks to slow down');
const NOT_READY = refused('UNAVAILABLE', 'cannot start the function yet. Try again in a moment');
const NO_NETWORK = refused('UNAVAILABLE', 'cannot connect the function to its network');
const INVALID = refused('INVALID_REQUEST', 'refused the request');
const TOO_LARGE = refused('PAYLOAD_TOO_LARGE', 'takes no request of this size. Send less');
const CONFLICT = refused('CONFLICT', 'changes the function now, or has another one under this name');
const DRIFT = refused('CONFLICT', 'has another revision of the function than the one this change is for');
const BROKEN = refused('CONFIG', 'cannot start the function as it is deployed. Mend it and deploy again');
const KMS = refused('AUTH', 'cannot use the KMS key of the function. Check the key and the role');
const QUOTA = refused(
  'CONFIG',
  'has reached a quota of this account. Free what is not used, or ask AWS for more',
);
const MOUNT = refused('UNAVAILABLE', 'cannot mount the file system of the function');
const SIGNATURE = refused('AUTH', 'does not accept the signature. Check the keys, the region and the clock');
const INTERNAL: Meaning = { code: 'UNAVAILABLE', executed: 'maybe', text: 'failed inside' };

/** By AWS's error type. The 502 rows matter most: most of them are permanent, although they look like an outage. */
const BY_TYPE: ReadonlyMap<string, Meaning> = new Map([
  ['TooManyRequestsException', THROTTLED],
  ['ThrottlingException', THROTTLED],
  ['Throttling', THROTTLED],
  ['EC2ThrottledException', NOT_READY],
  ['ENINotReadyException', NOT_READY],
  ['ResourceNotReadyException', NOT_READY],
  ['SnapStartNotReadyException', NOT_READY],
  ['CodeArtifactUserPendingException', NOT_READY],
  ['SnapStartTimeoutException', NOT_READY],
  ['SnapStartRegenerationFailureException', BROKEN],
  ['ServiceException', INTERNAL],
  ['ServiceUnavailableException', INTERNAL],
  ['InternalFailure', INTERNAL],
  ['ResourceConflictException', CONFLICT],
  ['PreconditionFailedException', DRIFT],
  ['ResourceNotFoundException', refused('NOT_FOUND', 'does not know the function. Deploy it first')],
  [
    'ProvisionedConcurrencyConfigNotFoundException',
    refused('NOT_FOUND', 'keeps no instances of this version'),
  ],
  ['AccessDeniedException', AUTH],
  ['AccessDenied', AUTH],
  ['UnrecognizedClientException', AUTH],
  ['InvalidClientTokenId', AUTH],
  ['MissingAuthenticationTokenException', AUTH],
  ['OptInRequired', AUTH],
  ['InvalidSignatureException', SIGNATURE],
  ['SignatureDoesNotMatch', SIGNATURE],
  ['IncompleteSignatureException', SIGNATURE],
  ['RequestExpired', SIGNATURE],
  ['RequestTimeTooSkewed', SIGNATURE],
  ['ExpiredTokenException', EXPIRED],
  ['ExpiredToken', EXPIRED],
  ['RequestTooLargeException', TOO_LARGE],
  ['SerializedRequestEntityTooLargeException', TOO_LARGE],
  ['InvalidParameterValueException', INVALID],
  ['InvalidRequestContentException', INVALID],
  ['ValidationException', INVALID],
  ['UnsupportedMediaTypeException', INVALID],
  [
    'RecursiveInvocationException',
    refused('INVALID_REQUEST', 'stopped a loop of functions that call each other'),
  ],
  ['NoPublishedVersionException', refused('CONFIG', 'has no published version to run. Deploy with `alias`')],
  ['ModeNotSupportedException', INVALID],
  ['DurableExecutionAlreadyStartedException', INVALID],
  ['SnapStartException', BROKEN],
  ['InvalidZipFileException', BROKEN],
  ['InvalidRuntimeException', BROKEN],
  ['InvalidSubnetIDException', BROKEN],
  ['InvalidSecurityGroupIDException', BROKEN],
  [
    'EC2AccessDeniedException',
    refused('AUTH', 'may not use the VPC. Give the role the EC2 network permissions'),
  ],
  ['KMSAccessDeniedException', KMS],
  ['KMSDisabledException', KMS],
  ['KMSInvalidStateException', KMS],
  ['KMSNotFoundException', KMS],
  ['ENILimitReachedException', NO_NETWORK],
  ['SubnetIPAddressLimitReachedException', NO_NETWORK],
  ['EC2UnexpectedException', NO_NETWORK],
  ['ServiceQuotaExceededException', QUOTA],
  ['CodeStorageExceededException', QUOTA],
  ['AliasLimitExceededException', QUOTA],
  ['FunctionVersionsPerCapacityProviderLimitExceededException', QUOTA],
  ['EFSMountTimeoutException', MOUNT],
  ['EFSMountConnectivityException', MOUNT],
  ['S3FilesMountTimeoutException', MOUNT],
  ['S3FilesMountConnectivityException', MOUNT],
  // The one of them that a function at work can meet.
  [
    'EFSIOException',
    { code: 'UNAVAILABLE', executed: 'maybe', text: 'lost the file system of the function' },
  ],
  ['EFSMountFailureException', { ...BROKEN, text: `${MOUNT.text}. Mend its configuration` }],
  ['S3FilesMountFailureException', { ...BROKEN, text: `${MOUNT.text}. Mend its configuration` }],
  ['CodeArtifactUserDeletedException', BROKEN],
  ['CodeArtifactUserFailedException', BROKEN],
] satisfies [string, Meaning][]);

/** For types that no table knows: AWS adds some every year. */
const BY_STATUS: ReadonlyMap<number, Meaning> = new Map([
  [401, AUTH],
  [403, AUTH],
  [404, refused('NOT_FOUND', 'does not know the function. Deploy it first')],
  [408, { code: 'TIMEOUT', executed: 'maybe', text: 'ran out of time' }],
  [409, CONFLICT],
  [412, DRIFT],
  [413, TOO_LARGE],
  [415, INVALID],
  [429, THROTTLED],
  [504, { code: 'TIMEOUT', executed: 'maybe', text: 'got no answer in time' }],
] satisfies [number, Meaning][]);

/** A refusal, whoever read it: the data plane from HTTP, or the SDK. */
export interface Refusal {
  readonly status: number;
  /** AWS's name of the error; undefined when the reply was not AWS's. */
  readonly type: string | undefined;
  readonly message: string | undefined;
  /** Of a throttle: which limit was met. */
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** Takes the caller's own credentials out of a text that came from outside. */
export type Redact = (text: string) => string;

export function refusalError(refusal: Refusal, phase: Phase, place: Place, redact: Redact): FaasError {
  const { status, type, requestId, cause } = refusal;
  const meaning = meaningOf(status, type);
  const { provider, functionName, origin } = place;
  const said = [refusal.reason, quote(refusal.message, redact)].filter(Boolean).join(', ');
  const what = `HTTP ${status}${type === undefined ? '' : ` ${type}`}`;
  return new FaasError({
    code: meaning.code,
    executed: phase === 'control' ? 'no' : meaning.executed,
    provider,
    functionName,
    status,
    requestId,
    retryAfterMs: refusal.retryAfterMs,
    cause,
    message: `${origin} ${meaning.text} (${functionName}, ${what}${said === '' ? '' : `: ${said}`}).${permissionAdvice(refusal)}`,
  });
}

/** AWS names the action that is missing: in words that can be pasted into a policy. */
function permissionAdvice({ message = '' }: Refusal): string {
  const action = /not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9*]+)/.exec(message)?.[1];
  if (action === undefined) return '';
  return ` Allow the action ${action} in a policy of the caller; the policies that are needed are in jobferry/aws-lambda/permissions/*.json.`;
}

/** True for the refusals that fresh credentials can cure. Undefined is what failed without one. */
export function isExpired({ type }: Partial<Refusal> = {}): boolean {
  return type === 'ExpiredTokenException' || type === 'ExpiredToken';
}

/** True for the refusals that a wrong clock explains. */
export function isSkewed({ type }: Refusal): boolean {
  return (
    type !== undefined &&
    /^(InvalidSignatureException|SignatureDoesNotMatch|RequestExpired|RequestTimeTooSkewed)$/.test(type)
  );
}

/** Reads the refusal in a reply of the REST API. */
export function readRefusal({ status, headers, body }: HttpReply): Refusal {
  const fields = readObject(body);
  const header = headers['x-amzn-errortype'];
  // `Type:http://…`, and in some bodies `prefix#Type`.
  const raw = typeof header === 'string' ? header : fields['__type'];
  const type = typeof raw === 'string' ? /([A-Za-z0-9]+)$/.exec(raw.split(':')[0] ?? '')?.[1] : undefined;
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    status,
    type,
    message: text(fields['message']) ?? text(fields['Message']),
    reason: text(fields['Reason']),
    requestId: requestIdOf(headers),
    retryAfterMs: retryAfterMs(headers['retry-after']),
  };
}

export function requestIdOf(headers: HttpReply['headers']): string | undefined {
  const value = headers['x-amzn-requestid'];
  return typeof value === 'string' && value.length > 0 && value.length <= 200 ? value : undefined;
}

function meaningOf(status: number, type: string | undefined): Meaning {
  const known = (type === undefined ? undefined : BY_TYPE.get(type)) ?? undefined;
  if (known !== undefined) return known;
  if (type === undefined && status < 500) {
    return {
      code: 'PROTOCOL',
      executed: 'maybe',
      text: 'answered with something AWS does not send. Check `endpoint` and proxies',
    };
  }
  const byStatus = BY_STATUS.get(status);
  if (byStatus !== undefined) return byStatus;
  // A 4xx of AWS with a new name: refused before anything ran.
  return status >= 500 ? INTERNAL : INVALID;
}

function readObject(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

const MAX_QUOTE = 300;

/** The first sentence or line AWS says for itself. Signature errors go on to quote the request, headers and all. */
function quote(message: string | undefined, redact: Redact): string {
  if (message === undefined) return '';
  const line = redact(message.split('\n', 1)[0] ?? '').replace(/The Canonical String.*$/, '');
  return (line.length > MAX_QUOTE ? `${line.slice(0, MAX_QUOTE)}…` : line).replace(/[.\s]+$/, '');
}
