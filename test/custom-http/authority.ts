import { makeCertificate } from '../fakes/certificates.ts';

/** A small authority: a CA, server certificates for several situations, a client certificate, and a stranger. */
const [ca, stranger] = [makeCertificate({ name: 'test ca' }), makeCertificate({ name: 'test stranger' })];
const certificates = {
  ca,
  stranger,
  alone: makeCertificate({ name: '127.0.0.1', hosts: ['127.0.0.1'] }),
  server: makeCertificate({ name: 'server', hosts: ['127.0.0.1', 'platform.test'], issuer: ca }),
  elsewhere: makeCertificate({ name: 'elsewhere', hosts: ['elsewhere.test'], issuer: ca }),
  expired: makeCertificate({
    name: 'expired',
    hosts: ['127.0.0.1'],
    issuer: ca,
    validMs: [Date.UTC(2020, 0, 1), Date.UTC(2020, 1, 1)],
  }),
  client: makeCertificate({ name: 'client', hosts: ['client.test'], issuer: ca }),
  intruder: makeCertificate({ name: 'intruder', hosts: ['client.test'], issuer: stranger }),
};
/** `NAME.crt` and `NAME.key`. */
export const pem: Record<string, string> = Object.fromEntries(
  Object.entries(certificates).flatMap(([name, { cert, key }]) => [
    [`${name}.crt`, cert],
    [`${name}.key`, key],
  ]),
);
