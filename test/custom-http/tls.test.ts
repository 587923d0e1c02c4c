import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { call, executorFor, failureOf, ok, serve, type TestServer } from './server.ts';

const run = promisify(execFile);
let folder: string;
const pem: Record<string, string> = {};

/** A small authority: a CA, server certificates for several situations, a client certificate, and a stranger. */
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'custom-http-tls-'));
  for (const ca of ['ca', 'stranger']) await selfSigned(ca, `/CN=test ${ca}`);
  await selfSigned('alone', '/CN=127.0.0.1', ['-addext', 'subjectAltName=IP:127.0.0.1']);
  await signed('server', 'ca', 'subjectAltName=IP:127.0.0.1,DNS:platform.test');
  await signed('elsewhere', 'ca', 'subjectAltName=DNS:elsewhere.test');
  await signed('expired', 'ca', 'subjectAltName=IP:127.0.0.1', [
    '-not_before',
    '20200101000000Z',
    '-not_after',
    '20200201000000Z',
  ]);
  await signed('client', 'ca', 'subjectAltName=DNS:client.test');
  await signed('intruder', 'stranger', 'subjectAltName=DNS:client.test');
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

async function openssl(...args: string[]): Promise<void> {
  await run('openssl', args, { cwd: folder, timeout: 20_000 });
}

async function read(name: string): Promise<void> {
  for (const kind of ['key', 'crt'])
    pem[`${name}.${kind}`] = await fs.readFile(path.join(folder, `${name}.${kind}`), 'utf8');
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function selfSigned(name: string, subject: string, more: string[] = []): Promise<void> {
  await openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
    '-days',
    '30',
    '-subj',
    subject,
    ...more,
  );
  await read(name);
}

async function signed(
  name: string,
  ca: string,
  extension: string,
  validity: string[] = ['-days', '30'],
): Promise<void> {
  await openssl('req', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
  await fs.writeFile(path.join(folder, `${name}.ext`), extension);
  if (validity[0] === '-not_before') {
    // `openssl ca` is the command of OpenSSL 3.0 that can sign for the past.
    await caSign(name, ca, validity[1] as string, validity[3] as string);
  } else {
    await openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${ca}.crt`,
      '-CAkey',
      `${ca}.key`,
      '-CAcreateserial',
      '-out',
      `${name}.crt`,
      '-extfile',
      `${name}.ext`,
      ...validity,
    );
  }
  await read(name);
}

async function caSign(name: string, ca: string, from: string, to: string): Promise<void> {
  await fs.writeFile(path.join(folder, 'index.txt'), '');
  await fs.writeFile(
    path.join(folder, 'ca.cnf'),
    '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n',
  );
  await openssl(
    'ca',
    '-batch',
    '-config',
    'ca.cnf',
    '-in',
    `${name}.csr`,
    '-cert',
    `${ca}.crt`,
    '-keyfile',
    `${ca}.key`,
    '-out',
    `${name}.crt`,
    '-extfile',
    `${name}.ext`,
    '-startdate',
    from,
    '-enddate',
    to,
    '-notext',
  );
}

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function platform(certificate: string, more = {}): Promise<TestServer> {
  const server = await serve(() => ok(), {
    key: pem[`${certificate}.key`],
    cert: pem[`${certificate}.crt`],
    ...more,
  });
  open.push(server);
  return server;
}

function client(server: Pick<TestServer, 'url'>, tls: HttpFaasExecutorOptions['tls'] = {}) {
  const executor = executorFor(server, { tls: { ca: pem['ca.crt'] as string, ...tls } });
  open.push(executor);
  return executor;
}

/** A server that refuses clients by a TLS alert, which Node's own does not. */
async function opensslServer(version: '-tls1_2' | '-tls1_3'): Promise<{ url: string }> {
  const files = ['-cert', 'server.crt', '-key', 'server.key', '-CAfile', 'ca.crt'];
  const demand = ['-Verify', '1', '-verify_return_error'];
  const child = spawn(
    'openssl',
    ['s_server', '-accept', '127.0.0.1:0', '-www', version, ...files, ...demand],
    {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const exited = once(child, 'exit');
  open.push({
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  });
  let said = '';
  for await (const chunk of child.stdout) {
    said += chunk;
    const port = /ACCEPT .*:(\d+)/.exec(said)?.[1];
    if (port !== undefined) return { url: `https://127.0.0.1:${port}` };
  }
  throw new Error(`openssl s_server did not start: ${said}`);
}

function identity(name: string | undefined): NonNullable<HttpFaasExecutorOptions['tls']> {
  return name === undefined ? {} : { cert: pem[`${name}.crt`] as string, key: pem[`${name}.key`] as string };
}

describe('TLS', () => {
  it('works with a private authority', async () => {
    expect((await call(client(await platform('server')))).result).toHaveLength(3);
  });

  it('works with a certificate made out for `servername`', async () => {
    const server = await platform('elsewhere');
    expect((await call(client(server, { servername: 'elsewhere.test' }))).result).toHaveLength(3);
  });

  it.each([
    ['another host', 'elsewhere', {}, 'another host name'],
    ['the past', 'expired', {}, 'expired'],
    ['itself', 'alone', {}, 'self-signed'],
    ['an unknown authority', 'server', { ca: 'stranger.crt' }, 'authority'],
  ])(
    'a certificate for %s: no connection, the error says why, nothing was sent',
    async (_title, certificate, tls, text) => {
      const server = await platform(certificate);
      const trust = 'ca' in tls ? { ca: pem[tls.ca as string] as string } : tls;
      const error = await failureOf(call(client(server, trust)));
      expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'no']);
      expect(error.message).toContain(text);
      expect(server.requests).toEqual([]);
    },
  );

  it('https to a server that speaks plain http: no connection', async () => {
    const plain = await serve(() => ok());
    open.push(plain);
    const executor = executorFor({ url: plain.url.replace('http:', 'https:') });
    open.push(executor);
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'no']);
    expect(error.message).toContain('TLS');
  });
});

describe('mutual TLS', () => {
  const demands = () => ({ requestCert: true, rejectUnauthorized: true, ca: pem['ca.crt'] });

  it('shows the client certificate', async () => {
    const names: unknown[] = [];
    const server = await serve(
      (_seen, response) => {
        names.push((response.socket as TLSSocket).getPeerCertificate().subject.CN);
        return ok();
      },
      { key: pem['server.key'], cert: pem['server.crt'], ...demands() },
    );
    open.push(server);
    await call(client(server, { cert: pem['client.crt'] as string, key: pem['client.key'] as string }));
    expect(names).toEqual(['client']);
  });

  it.each([
    ['no certificate', undefined, 'UNAVAILABLE'],
    ['a certificate of another authority', 'intruder', 'AUTH'],
  ])('with %s is refused in the handshake of TLS 1.2: nothing ran', async (_title, name, code) => {
    const error = await failureOf(call(client(await opensslServer('-tls1_2'), identity(name))));
    expect([error.code, error.executed]).toEqual([code, 'no']);
    expect(error.message).toContain('client certificate');
  });

  it.each([
    ['no certificate', undefined],
    ['a certificate of another authority', 'intruder'],
  ])(
    'with %s is refused after the handshake of TLS 1.3: the request was written by then',
    async (_title, name) => {
      const error = await failureOf(call(client(await opensslServer('-tls1_3'), identity(name))));
      // The alert and the end of the stream race: either may be what is seen.
      expect(['AUTH', 'UNAVAILABLE']).toContain(error.code);
      expect(error.executed).toBe('maybe');
      expect(error.message).toContain('client certificate');
    },
  );

  it('a server that just hangs up on strangers: may have run, for all we can see', async () => {
    const server = await platform('server', demands());
    const error = await failureOf(call(client(server)));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'maybe']);
    expect(server.requests).toEqual([]);
  });

  it('a key that does not fit its certificate is said before anything is sent', async () => {
    const server = await platform('server', demands());
    const executor = client(server, {
      cert: pem['client.crt'] as string,
      key: pem['intruder.key'] as string,
    });
    const error = await failureOf(call(executor));
    expect(error.executed).toBe('no');
    expect(error.message).not.toContain('PRIVATE KEY');
  });

  it('does not show the client certificate to an endpoint of another origin', async () => {
    const shown: boolean[] = [];
    const away = await serve(
      (_seen, response) => {
        shown.push('subject' in (response.socket as TLSSocket).getPeerCertificate());
        return ok();
      },
      { key: pem['server.key'], cert: pem['server.crt'], requestCert: true, rejectUnauthorized: false },
    );
    const server = await platform('server', demands());
    const tls = {
      ca: pem['ca.crt'] as string,
      cert: pem['client.crt'] as string,
      key: pem['client.key'] as string,
    };
    const endpoints = { 7: `${away.url}/f` };
    for (const endpointAuth of [false, true]) {
      const executor = executorFor(server, { tls, endpoints, endpointAuth });
      open.push(executor);
      await call(executor);
    }
    open.push(away);
    expect(shown).toEqual([false, true]);
  });
});
