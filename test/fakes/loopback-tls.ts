/** A certificate for localhost, made once a process: for servers that clients speak to over TLS only. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from './certificates.js';

/** PEM; `cert` is also what a client has to trust. */
export const { cert, key } = makeCertificate({ name: 'localhost', hosts: ['localhost', '127.0.0.1'] });
/** The same certificate, for what reads authorities from a file. */
export const certFile = inFile(cert);

function inFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'jobferry-tls-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'ca.pem');
  writeFileSync(file, text);
  return file;
}
