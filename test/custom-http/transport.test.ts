import net from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.ts';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { exchange, type HttpRequest } from '../../src/executors/shared/http.ts';
import { OriginPool } from '../../src/executors/shared/origin-pool.ts';
import { HEAD, OK_BODY, rawServer } from './raw-server.ts';
import {
  call,
  executorFor,
  failureOf,
  ok,
  pause,
  serve,
  serveRaw,
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

describe('a connection that cannot be made: the function has not run', () => {
  it('refused', async () => {
    const closed = await serveRaw(() => {});
    await closed[Symbol.asyncDispose]();
    const error = await failureOf(call(executor(closed)));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'no']);
    expect(error.message).toContain('refused the connection');
    expect(error.message).toContain(closed.url);
  });

  it('a host that does not exist', async () => {
    const error = await failureOf(call(executor({ url: 'http://no-such-host.invalid:8080' })));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'no']);
    expect(error.message).toMatch(/host name/);
  });

  it('a server that never shakes hands, at connectTimeoutMs', async () => {
    const silent = opened(await serveRaw(() => {}));
    const client = executor({ url: silent.url.replace('http:', 'https:') }, { connectTimeoutMs: 200 });
    const error = await failureOf(call(client));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'no']);
    expect(error.message).toContain('connectTimeoutMs');
  });

  it('every call that waits for it fails, and the next one after it is back succeeds', async () => {
    const gone = await serve(() => ok());
    await gone[Symbol.asyncDispose]();
    const client = executor(gone);
    const failures = await Promise.all(Array.from({ length: 20 }, () => failureOf(call(client))));
    expect(new Set(failures.map(({ code, executed }) => `${code} ${executed}`))).toEqual(
      new Set(['UNAVAILABLE no']),
    );
    const back = net.createServer((socket) => {
      socket.on('data', () => socket.write(HEAD(OK_BODY.length) + OK_BODY));
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => back.listen(gone.port, '127.0.0.1', resolve));
    expect([...(await call(client)).result]).toEqual([1]);
    await client.close();
    await new Promise((resolve) => back.close(resolve));
  });
});

describe('a connection that breaks', () => {
  it('reset after the request was sent: it may have run, once', async () => {
    const { server, received } = await rawPlatform((socket) => socket.resetAndDestroy());
    const error = await failureOf(call(executor(server)));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'maybe']);
    await pause(100);
    expect(received()).toBe(1);
  });

  it('closed after the request was sent: it may have run, once', async () => {
    const { server, received } = await rawPlatform((socket) => socket.end());
    const error = await failureOf(call(executor(server)));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'maybe']);
    await pause(100);
    expect(received()).toBe(1);
  });

  it('an idle socket that the server closes when the next request comes: it may have run, and is not sent again', async () => {
    let answered = false;
    const { server, received } = await rawPlatform((socket) => {
      if (answered) socket.destroy();
      else socket.write(HEAD(OK_BODY.length) + OK_BODY);
      answered = true;
    });
    const client = executor(server, { connections: 1 });
    await call(client);
    const error = await failureOf(call(client));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'maybe']);
    await pause(100);
    expect(received()).toBe(2);
  });

  it.each([
    ['a body shorter than announced', `${HEAD(500)}${OK_BODY}`],
    ['a chunked body without its end', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1d\r\n{"resu'],
    ['a chunk size that is no number', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
  ])('in the middle of a 200, with %s: it ran', async (_title, text) => {
    const { server } = await rawPlatform((socket) => socket.end(text));
    const error = await failureOf(call(executor(server)));
    expect([error.code, error.executed, error.status]).toEqual(['PROTOCOL', 'yes', 200]);
  });

  it('in the middle of a 500: it may have run', async () => {
    const { server } = await rawPlatform((socket) =>
      socket.end('HTTP/1.1 500 Oops\r\ncontent-length: 50\r\n\r\n{"succ'),
    );
    const error = await failureOf(call(executor(server)));
    expect([error.code, error.executed, error.status]).toEqual(['PROTOCOL', 'maybe', 500]);
  });

  it.each([
    ['something that is no HTTP', 'SSH-2.0-CANARY\r\n', 'maybe'],
    [
      'a reply that stops being HTTP',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nCANARY\r\n',
      'yes',
    ],
  ])('%s: a PROTOCOL error without a byte of it', async (_title, text, executed) => {
    const { server } = await rawPlatform((socket) => socket.end(text));
    const error = await failureOf(call(executor(server)));
    expect([error.code, error.executed]).toEqual(['PROTOCOL', executed]);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('CANARY');
  });
});

describe('a reply that is too long', () => {
  it('is cut off at maxResponseBytes, however much would come', async () => {
    let written = 0;
    let cut = false;
    const { server } = await rawPlatform((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
      socket.on('close', () => {
        cut = true;
      });
      const pump = () => {
        while (!cut && written < 1024 ** 3) {
          written += 0x10000;
          if (!socket.write(chunk)) return void socket.once('drain', pump);
        }
      };
      pump();
    });
    const before = process.memoryUsage().rss;
    const error = await failureOf(call(executor(server, { maxResponseBytes: 1024 * 1024 })));
    expect([error.code, error.executed]).toEqual(['PAYLOAD_TOO_LARGE', 'yes']);
    await until(() => cut);
    expect(written).toBeLessThan(256 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
  });

  it('is not even read when it announces itself', async () => {
    const { server } = await rawPlatform((socket) => socket.write(HEAD(1024 ** 3)));
    const error = await failureOf(call(executor(server)));
    expect(error.code).toBe('PAYLOAD_TOO_LARGE');
    await until(() => server.sockets.size === 0);
  });

  it('of exactly the limit is taken', async () => {
    const server = opened(await serve(() => ({ body: OK_BODY })));
    expect((await call(executor(server, { maxResponseBytes: OK_BODY.length }))).result).toHaveLength(1);
    const error = await failureOf(call(executor(server, { maxResponseBytes: OK_BODY.length - 1 })));
    expect(error.code).toBe('PAYLOAD_TOO_LARGE');
  });
});

describe('a server that falls silent, for a call without a deadline: a net of time-outs', () => {
  async function exchangeWith(onRequest: (socket: net.Socket) => void) {
    const { server } = await rawPlatform(onRequest);
    const pool = new OriginPool(server.url, {
      connections: 1,
      connectTimeoutMs: 5000,
      silenceTimeoutMs: 100,
    });
    opened({ [Symbol.asyncDispose]: () => pool.close() });
    const place = { provider: 'test', functionName: 'f', origin: server.url };
    const request: HttpRequest = {
      origin: server.url,
      method: 'POST',
      path: '/',
      headers: [],
      body: Buffer.from('[{}]}'),
      maxReplyBytes: 100,
    };
    return failureOf(exchange(await pool.open(), request, place, callContext()));
  }

  it('before its reply: may have run', async () => {
    const error = await exchangeWith(() => {});
    expect([error.code, error.executed]).toEqual(['TIMEOUT', 'maybe']);
  });

  it('in the middle of a 200: ran', async () => {
    const error = await exchangeWith((socket) => socket.write(`${HEAD(50)}{`));
    expect([error.code, error.executed]).toEqual(['TIMEOUT', 'yes']);
  });
});
