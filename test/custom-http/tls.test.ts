import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { pem } from './authority.ts';
import { call, executorFor, failureOf, ok, serve, type TestServer } from './server.ts';

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
