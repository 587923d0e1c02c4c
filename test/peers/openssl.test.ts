/** Servers that refuse clients by a TLS alert, which Node's own do not: `openssl s_server`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { pem } from '../custom-http/authority.ts';
import { call, executorFor, failureOf } from '../custom-http/server.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-openssl-'));
  for (const [name, text] of Object.entries(pem)) await writeFile(join(folder, name), text);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

function client(server: { url: string }, tls: HttpFaasExecutorOptions['tls'] = {}) {
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

describe('mutual TLS', () => {
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
});
