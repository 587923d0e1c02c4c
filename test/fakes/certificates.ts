/**
 * Certificates for tests, written out byte by byte (RFC 5280): Node makes keys and no certificates, and npm test needs
 * no program beside Node.
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

export interface CertificateOptions {
  readonly name: string;
  /** Host names and IPv4 addresses it is good for; none for an authority. */
  readonly hosts?: readonly string[];
  /** Who signs it. Default: itself. */
  readonly issuer?: Certificate;
  /** Epoch milliseconds. Default: from yesterday to tomorrow. */
  readonly validMs?: readonly [from: number, to: number];
}

export interface Certificate {
  readonly name: string;
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  readonly privateKey: KeyObject;
}

const DAY_MS = 86_400_000;

export function makeCertificate({ name, hosts = [], issuer, validMs }: CertificateOptions): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [from, to] = validMs ?? [Date.now() - DAY_MS, Date.now() + DAY_MS];
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
  const body = sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))), // version 3
    tagged(0x02, Buffer.from(nextSerial().toString(16).padStart(12, '0'), 'hex')),
    ecdsaWithSha256,
    commonName(issuer?.name ?? name),
    sequence(utcTime(from), utcTime(to)),
    commonName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions(hosts, issuer === undefined))),
  );
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey);
  const der = sequence(body, ecdsaWithSha256, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { name, cert: pem(der), key, privateKey };
}

let serials = Date.now();
function nextSerial(): number {
  serials += 1;
  return serials;
}

function extensions(hosts: readonly string[], isAuthority: boolean): Buffer[] {
  const names = hosts.map((host) =>
    isIPv4(host) ? tagged(0x87, Buffer.from(host.split('.').map(Number))) : tagged(0x82, Buffer.from(host)),
  );
  const authority = sequence(...(isAuthority ? [tagged(0x01, Buffer.from([0xff]))] : []));
  return [
    ...(names.length > 0 ? [sequence(oid('551d11'), tagged(0x04, sequence(...names)))] : []),
    sequence(oid('551d13'), tagged(0x04, authority)),
  ];
}

function commonName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from(name)))));
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

/** Tag, length, value. */
function tagged(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

/** YYMMDDHHMMSSZ */
function utcTime(ms: number): Buffer {
  return tagged(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14)}Z`));
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
