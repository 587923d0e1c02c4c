import { describe, expect, it } from 'vitest';
import { isCurable } from '../../src/core/retry-policy.js';
import { readRefusal, refusalError } from '../../src/executors/aws-lambda/errors.js';

const PLACE = {
  provider: 'aws-lambda',
  functionName: 'job',
  origin: 'https://lambda.eu-central-1.amazonaws.com',
};
const same = (text: string) => text;

function reply(
  status: number,
  type: string | undefined,
  body: object | string = {},
  headers: Record<string, string> = {},
) {
  const content = typeof body === 'string' ? body : JSON.stringify({ message: 'because', ...body });
  return {
    status,
    headers: { ...(type === undefined ? {} : { 'x-amzn-errortype': type }), ...headers },
    body: Buffer.from(content),
  };
}

const errorOf = (
  status: number,
  type: string | undefined,
  body?: object | string,
  headers?: Record<string, string>,
) => refusalError(readRefusal(reply(status, type, body, headers)), 'invoke', PLACE, same);

/** Error type, status -> code, executed, whether a non-idempotent call may be sent again. */
const ROWS: [type: string, status: number, code: string, executed: string, again: boolean][] = [
  ['TooManyRequestsException', 429, 'THROTTLED', 'no', true],
  ['ThrottlingException', 400, 'THROTTLED', 'no', true],
  ['ServiceException', 500, 'UNAVAILABLE', 'maybe', false],
  ['EC2ThrottledException', 502, 'UNAVAILABLE', 'no', true],
  ['ENINotReadyException', 502, 'UNAVAILABLE', 'no', true],
  ['ResourceNotReadyException', 502, 'UNAVAILABLE', 'no', true],
  ['SnapStartNotReadyException', 409, 'UNAVAILABLE', 'no', true],
  ['CodeArtifactUserPendingException', 409, 'UNAVAILABLE', 'no', true],
  ['ResourceConflictException', 409, 'CONFLICT', 'no', true],
  ['PreconditionFailedException', 412, 'CONFLICT', 'no', true],
  ['InvalidParameterValueException', 400, 'INVALID_REQUEST', 'no', false],
  ['ResourceNotFoundException', 404, 'NOT_FOUND', 'no', false],
  ['AccessDeniedException', 403, 'AUTH', 'no', false],
  ['UnrecognizedClientException', 403, 'AUTH', 'no', false],
  ['InvalidSignatureException', 403, 'AUTH', 'no', false],
  ['ExpiredTokenException', 403, 'AUTH', 'no', false],
  ['ExpiredTokenException', 400, 'AUTH', 'no', false],
  ['RequestTooLargeException', 413, 'PAYLOAD_TOO_LARGE', 'no', false],
  ['SerializedRequestEntityTooLargeException', 413, 'PAYLOAD_TOO_LARGE', 'no', false],
  ['InvalidRequestContentException', 400, 'INVALID_REQUEST', 'no', false],
  ['UnsupportedMediaTypeException', 415, 'INVALID_REQUEST', 'no', false],
  ['RecursiveInvocationException', 400, 'INVALID_REQUEST', 'no', false],
  ['NoPublishedVersionException', 400, 'CONFIG', 'no', false],
  ['SnapStartException', 400, 'CONFIG', 'no', false],
  ['ModeNotSupportedException', 400, 'INVALID_REQUEST', 'no', false],
  ['InvalidZipFileException', 502, 'CONFIG', 'no', false],
  ['InvalidRuntimeException', 502, 'CONFIG', 'no', false],
  ['InvalidSubnetIDException', 502, 'CONFIG', 'no', false],
  ['InvalidSecurityGroupIDException', 502, 'CONFIG', 'no', false],
  ['EC2AccessDeniedException', 502, 'AUTH', 'no', false],
  ['KMSAccessDeniedException', 502, 'AUTH', 'no', false],
  ['KMSDisabledException', 502, 'AUTH', 'no', false],
  ['KMSInvalidStateException', 502, 'AUTH', 'no', false],
  ['KMSNotFoundException', 502, 'AUTH', 'no', false],
  ['ENILimitReachedException', 502, 'UNAVAILABLE', 'no', true],
  ['SubnetIPAddressLimitReachedException', 502, 'UNAVAILABLE', 'no', true],
  ['EC2UnexpectedException', 502, 'UNAVAILABLE', 'no', true],
  ['ServiceQuotaExceededException', 402, 'CONFIG', 'no', false],
  ['CodeStorageExceededException', 400, 'CONFIG', 'no', false],
  ['EFSMountTimeoutException', 408, 'UNAVAILABLE', 'no', true],
  ['EFSMountConnectivityException', 408, 'UNAVAILABLE', 'no', true],
  ['S3FilesMountTimeoutException', 408, 'UNAVAILABLE', 'no', true],
  ['S3FilesMountConnectivityException', 408, 'UNAVAILABLE', 'no', true],
  ['SnapStartTimeoutException', 408, 'UNAVAILABLE', 'no', true],
  ['EFSIOException', 410, 'UNAVAILABLE', 'maybe', false],
  ['EFSMountFailureException', 403, 'CONFIG', 'no', false],
  ['S3FilesMountFailureException', 403, 'CONFIG', 'no', false],
  ['CodeArtifactUserDeletedException', 409, 'CONFIG', 'no', false],
  ['CodeArtifactUserFailedException', 409, 'CONFIG', 'no', false],
  ['SnapStartRegenerationFailureException', 409, 'CONFIG', 'no', false],
  ['DurableExecutionAlreadyStartedException', 409, 'INVALID_REQUEST', 'no', false],
];

describe('what a refusal of the Lambda API means (origin-defects 0.12: one kind per meaning)', () => {
  it.each(ROWS)('%s with %i is %s, executed %s, sent again: %s', (type, status, code, executed, again) => {
    const error = errorOf(status, type);
    expect([error.code, error.executed]).toEqual([code, executed]);
    expect(isCurable(error, false, false)).toBe(again);
    expect(error.message).toContain(`HTTP ${status} ${type}: because`);
  });

  it('reads the type with AWS’s suffix, and from the body where the header is missing', () => {
    expect(errorOf(429, 'TooManyRequestsException:http://internal.amazon.com/').code).toBe('THROTTLED');
    expect(errorOf(404, undefined, { __type: 'com.amazonaws.lambda#ResourceNotFoundException' }).code).toBe(
      'NOT_FOUND',
    );
  });

  it('keeps the Reason of a throttle and its Retry-After', () => {
    const body = { Reason: 'CallerRateLimitExceeded' };
    const error = errorOf(429, 'TooManyRequestsException', body, { 'retry-after': '3' });
    expect(error.message).toContain('CallerRateLimitExceeded');
    expect(error.retryAfterMs).toBe(3000);
  });

  it.each([
    [404, 'PROTOCOL', 'maybe'],
    [413, 'PROTOCOL', 'maybe'],
    [502, 'UNAVAILABLE', 'maybe'],
    [504, 'TIMEOUT', 'maybe'],
  ])('an HTML page with %i is %s, executed %s, and shows nothing of the page', (status, code, executed) => {
    const error = errorOf(status, undefined, '<html>intranet-canary</html>');
    expect([error.code, error.executed]).toEqual([code, executed]);
    expect(error.message).not.toContain('canary');
  });

  it('a type that AWS adds some day is judged by its status', () => {
    expect(errorOf(418, 'TeapotException').code).toBe('INVALID_REQUEST');
    expect(errorOf(599, 'MoonException')).toMatchObject({ code: 'UNAVAILABLE', executed: 'maybe' });
    expect(errorOf(429, 'NewThrottleException').code).toBe('THROTTLED');
  });

  it('a failed change has run no function, whatever its status', () => {
    const refusal = readRefusal(reply(500, 'ServiceException'));
    expect(refusalError(refusal, 'control', PLACE, same).executed).toBe('no');
  });

  it('a signature error does not repeat the request that AWS quotes in it', () => {
    const message =
      'The signature does not match.\n\nThe Canonical String for this request should have been\nx-amz-security-token:canary';
    expect(errorOf(403, 'InvalidSignatureException', { message }).message).not.toContain('canary');
    const redacted = refusalError(
      readRefusal(reply(403, 'AccessDenied', { message: 'AKIDX may not' })),
      'invoke',
      PLACE,
      (text) => text.replaceAll('AKIDX', '[redacted]'),
    );
    expect(redacted.message).toContain('[redacted] may not');
  });
});
