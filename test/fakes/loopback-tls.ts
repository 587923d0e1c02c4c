/** A certificate for localhost, made once a process: for servers that clients speak to over TLS only. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'jobferry-tls-'));
const keyFile = join(folder, 'key.pem');
/** PEM; also what a client has to trust. */
export const certFile = join(folder, 'cert.pem');
const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
const files = ['-keyout', keyFile, '-out', certFile];
execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...names], { timeout: 20_000, stdio: 'ignore' });

export const cert = readFileSync(certFile, 'utf8');
export const key = readFileSync(keyFile, 'utf8');
