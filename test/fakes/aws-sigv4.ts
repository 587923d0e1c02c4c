/**
 * Checks signatures of version 4, written from AWS's description ("Create a signed AWS API request") and not from the
 * library that signs: the canonical request, the string to sign, the derived key.
 */
import { createHash, createHmac } from 'node:crypto';

export interface SignedRequest {
  readonly method: string;
  /** Path and query as they stand in the request line. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

export interface KnownKey {
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expired?: boolean | undefined;
}

export interface Refused {
  readonly status: number;
  readonly type: string;
  readonly message: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_SKEW_MS = 5 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** Undefined for a request that is signed as it must be. */
export function refuseSignature(
  request: SignedRequest,
  keys: ReadonlyMap<string, KnownKey>,
  expected: { readonly region: string; readonly services: readonly string[]; readonly nowMs: number },
): Refused | undefined {
  const parts = AUTHORIZATION.exec(header(request, 'authorization'));
  if (parts === null) {
    return {
      status: 403,
      type: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    };
  }
  const [, keyId = '', day = '', region = '', service = '', signedHeaders = '', signature = ''] = parts;
  const key = keys.get(keyId);
  if (key === undefined) {
    return {
      status: 403,
      type: 'UnrecognizedClientException',
      message: 'The security token included in the request is invalid.',
    };
  }
  if (key.expired) {
    return {
      status: 403,
      type: 'ExpiredTokenException',
      message: 'The security token included in the request is expired',
    };
  }
  const date = header(request, 'x-amz-date');
  const faults = [
    header(request, 'x-amz-security-token') !== (key.sessionToken ?? '') &&
      'the session token is another one',
    region !== expected.region && `signed for region ${region}`,
    !expected.services.includes(service) && `signed for service ${service}`,
    !date.startsWith(day) && 'the day of the scope is not that of the date',
    !signedHeaders.split(';').includes('host') && 'host is not signed',
    signatureOf(request, { service, region, date, signedHeaders, secret: key.secretAccessKey }) !==
      signature && 'the request signature we calculated does not match',
  ].filter(Boolean);
  if (faults.length > 0)
    return { status: 403, type: 'InvalidSignatureException', message: faults.join('; ') };
  const skewMs = Math.abs(epochOf(date) - expected.nowMs);
  if (skewMs > MAX_SKEW_MS) {
    return {
      status: 403,
      type: 'InvalidSignatureException',
      message: `Signature expired: ${date} is now earlier than the clock of this server`,
    };
  }
  return undefined;
}

/** The signature in hex. */
export function signatureOf(
  request: SignedRequest,
  scope: { service: string; region: string; date: string; signedHeaders: string; secret: string },
): string {
  const { service, region, date, signedHeaders, secret } = scope;
  const day = date.slice(0, 8);
  const toSign = [
    ALGORITHM,
    date,
    `${day}/${region}/${service}/aws4_request`,
    sha256(canonicalRequest(request, service, signedHeaders)),
  ];
  const key = [day, region, service, 'aws4_request'].reduce<Buffer>(
    (previous, part) => createHmac('sha256', previous).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  );
  return createHmac('sha256', key).update(toSign.join('\n')).digest('hex');
}

function canonicalRequest(request: SignedRequest, service: string, signedHeaders: string): string {
  const [path = '/', query = ''] = request.target.split('?', 2) as [string, string?];
  // Every service but S3 encodes the path a second time.
  const canonicalPath = service === 's3' ? path : path.split('/').map(encode).join('/');
  const canonicalQuery = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => pair.split('=', 2).map((part) => encode(decodeURIComponent(part))))
    .map(([name = '', value = '']) => `${name}=${value}`)
    .sort()
    .join('&');
  const headers = signedHeaders
    .split(';')
    .map((name) => `${name}:${header(request, name).trim().replace(/\s+/g, ' ')}\n`);
  const stated = header(request, 'x-amz-content-sha256');
  const bodyHash = stated === '' ? sha256(request.body) : stated;
  return [request.method, canonicalPath, canonicalQuery, headers.join(''), signedHeaders, bodyHash].join(
    '\n',
  );
}

function header({ headers }: SignedRequest, name: string): string {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function epochOf(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}
