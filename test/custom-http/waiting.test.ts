import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { FaasError } from '../../src/core/errors.ts';
import { CallScope, callContext } from '../../src/core/scope.ts';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { HEAD, OK_BODY, rawServer } from './raw-server.ts';
import {
  call,
  cancelWith,
  executorFor,
  failureOf,
  jobCall,
  ok,
  pause,
  serve,
  type TestServer,
  until,
} from './server.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

function opened<T extends AsyncDisposable>(resource: T): T {
  open.push(resource);
  return resource;
}

async function rawPlatform(onRequest: (socket: net.Socket) => void) {
  const raw = await rawServer(onRequest);
  opened(raw.server);
  return raw;
}

function executor(server: Pick<TestServer, 'url'>, options: Partial<HttpFaasExecutorOptions> = {}) {
  return opened(executorFor(server, options));
}

describe('origin-defects 0.13: a wait ends when the call does', () => {
  it('a hung server: TIMEOUT at the deadline, and the socket is freed', async () => {
    const { server } = await rawPlatform(() => {});
    const context = callContext({ timeoutMs: 150 });
    const error = await failureOf(executor(server).invoke(jobCall({ deadline: context.deadline }), context));
    expect([error.code, error.executed, error.functionName]).toEqual(['TIMEOUT', 'maybe', 'job7']);
    await until(() => server.sockets.size === 0);
  });

  it('a reply that drips: TIMEOUT at the deadline', async () => {
    const { server } = await rawPlatform((socket) => {
      socket.write(HEAD(OK_BODY.length));
      let at = 0;
      const drip = setInterval(() => socket.write(OK_BODY[at++ % OK_BODY.length] ?? ' '), 60);
      socket.on('close', () => clearInterval(drip));
    });
    const context = callContext({ timeoutMs: 300 });
    expect((await failureOf(executor(server).invoke(jobCall(), context))).code).toBe('TIMEOUT');
    await until(() => server.sockets.size === 0);
  });

  it('cancelled while it runs: settles at once, may have run, and the server sees the socket close', async () => {
    const { server, received } = await rawPlatform(() => {});
    const scope = new CallScope();
    let error: FaasError | undefined;
    const outcome = failureOf(executor(server).invoke(jobCall(), scope)).then((failure) => {
      error = failure;
    });
    await until(() => received() === 1);
    scope.cancel(cancelWith());
    // Not timed, but stricter: it is over before the event loop turns.
    await new Promise((resolve) => setImmediate(resolve));
    expect([error?.code, error?.executed]).toEqual(['CANCELLED', 'maybe']);
    await outcome;
    await until(() => server.sockets.size === 0);
  });

  it('cancelled before it is sent: no request at all', async () => {
    const server = opened(await serve(() => ok()));
    const client = executor(server);
    await call(client);
    const scope = new CallScope();
    scope.cancel(cancelWith());
    const error = await failureOf(client.invoke(jobCall(), scope));
    expect([error.code, error.executed]).toEqual(['CANCELLED', 'no']);
    expect(server.requests).toHaveLength(1);
  });

  it('cancelled while it waits for a socket: has not run, settles at once, and leaves the socket to the others', async () => {
    const { server, received } = await rawPlatform((socket) => {
      setTimeout(() => socket.write(HEAD(OK_BODY.length) + OK_BODY), 200);
    });
    const client = executor(server, { connections: 1 });
    const first = call(client);
    await until(() => received() === 1);
    const scope = new CallScope();
    const waiting = failureOf(client.invoke(jobCall(), scope));
    const third = call(client);
    await pause(20);
    scope.cancel(cancelWith('TIMEOUT'));
    const error = await waiting;
    expect([error.code, error.executed]).toEqual(['TIMEOUT', 'no']);
    expect([...(await first).result, ...(await third).result]).toEqual([1, 1]);
    expect(received()).toBe(2);
    expect(server.sockets.size).toBe(1);
  });

  it('the very first call is cancelled while the client loads: has not run', async () => {
    const server = opened(await serve(() => ok()));
    const scope = new CallScope();
    const outcome = failureOf(executor(server).invoke(jobCall(), scope));
    scope.cancel(cancelWith());
    expect([(await outcome).code, (await outcome).executed]).toEqual(['CANCELLED', 'no']);
    await pause(50);
    expect(server.requests).toEqual([]);
  });

  it('a late cancellation of a call that is over changes nothing', async () => {
    const server = opened(await serve(() => ok()));
    const scope = new CallScope();
    expect((await executor(server).invoke(jobCall(), scope)).result).toHaveLength(3);
    scope.cancel(cancelWith());
    expect(server.sockets.size).toBe(1);
  });

  it('cancelling one of many leaves the others alone', async () => {
    const server = opened(
      await serve(async () => {
        await pause(100);
        return ok();
      }),
    );
    const client = executor(server);
    const scopes = Array.from({ length: 30 }, () => new CallScope());
    const outcomes = scopes.map((scope) =>
      client.invoke(jobCall(), scope).then(
        () => 'ok',
        (error) => error.code as string,
      ),
    );
    await until(() => server.requests.length === 30);
    for (const [index, scope] of scopes.entries()) if (index % 3 === 0) scope.cancel(cancelWith());
    expect(await Promise.all(outcomes)).toEqual(
      scopes.map((_, index) => (index % 3 === 0 ? 'CANCELLED' : 'ok')),
    );
  });
});

describe('closing', () => {
  it('lets calls in flight finish, refuses new ones with CONFIG, and may be done twice', async () => {
    const server = opened(
      await serve(async () => {
        await pause(150);
        return ok();
      }),
    );
    const client = executorFor(server);
    const running = call(client);
    await until(() => server.requests.length === 1);
    const closing = client.close();
    const error = await failureOf(call(client));
    expect([error.code, error.executed]).toEqual(['CONFIG', 'no']);
    expect((await running).result).toHaveLength(3);
    await closing;
    await client.close();
    await client[Symbol.asyncDispose]();
    await until(() => server.sockets.size === 0);
    expect((await failureOf(client.healthCheck(1))).code).toBe('CONFIG');
  });

  it('of an executor that was never used does nothing', async () => {
    await executorFor({ url: 'http://127.0.0.1:9' }).close();
  });

  it('right after the first call was made leaves no socket', async () => {
    const server = opened(await serve(() => ok()));
    const client = executorFor(server);
    const first = call(client).catch((error) => error);
    await client.close();
    await first;
    await until(() => server.sockets.size === 0);
  });

  it('leaves an injected dispatcher to its owner', async () => {
    const { Pool } = await import('undici');
    const server = opened(await serve(() => ok()));
    const dispatcher = new Pool(server.url);
    const client = executorFor(server, { dispatcher });
    await call(client);
    await client.close();
    expect(dispatcher.closed).toBe(false);
    await dispatcher.close();
  });
});

describe('origin-defects 0.8: making an executor', () => {
  it('does no I/O and loads no HTTP client; an idle one keeps no process alive', async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'custom-http-'));
    opened({ [Symbol.asyncDispose]: () => fs.rm(folder, { recursive: true }) });
    const { build } = await import('esbuild');
    const bundle = path.join(folder, 'bundle.mjs');
    await build({
      entryPoints: [path.resolve('src/executors/custom-http/index.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['undici'],
      outfile: bundle,
      logLevel: 'error',
    });
    // There is no undici beside the bundle: loading it would fail.
    const script = `import { HttpFaasExecutor } from ${JSON.stringify(bundle)};
      new HttpFaasExecutor({ baseUrl: 'https://no-such-host.invalid', auth: { bearer: 'x' } });
      console.log(process.getActiveResourcesInfo().length, 'made');`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: {},
      timeout: 20_000,
    });
    expect(stdout).toContain('made');
  });
});
