import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startPlatform } from '../src/index.js';
import { answer, echo } from './support/bootstraps.js';
import { type TestPlatform, tempFolder, testPlatform } from './support/platform.js';

describe('the HTTP side', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform({ limits: { maxArgsBytes: 1000 } });
    await server.deploy('echo', echo);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** Sends bytes as they are and returns all that comes back until the server ends the connection. */
  async function raw(text: string | Buffer, { keepOpen = false } = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      let reply = '';
      const socket = connect(server.platform.port, '127.0.0.1', () => {
        if (keepOpen) socket.write(text);
        else socket.end(text);
      });
      socket.setTimeout(25_000, () => socket.destroy(new Error(`no end after: ${reply}`)));
      socket.on('data', (chunk) => {
        reply += chunk.toString('latin1');
      });
      socket.on('error', (error) =>
        'code' in error && error.code === 'ECONNRESET' ? resolve(reply) : reject(error),
      );
      socket.on('close', () => resolve(reply));
    });
  }

  const statuses = (reply: string): number[] =>
    [...reply.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));

  it('GET /api says what this platform is and can', async () => {
    const { status, body } = await server.request('GET', '/api');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      spec: '1.1',
      platform: 'jobferry',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      limits: {
        max_request_bytes: 1000 * 4 + 65_536,
        max_args_bytes: 1000,
        max_result_bytes: 6 * 1024 * 1024,
        max_zip_bytes: 50 * 1024 * 1024,
        max_unzipped_bytes: 250 * 1024 * 1024,
        memory_mb: { min: 128, max: 10_240, step: 64 },
        timeout_secs: { min: 1, max: 900 },
        max_concurrency: { min: 1, max: 1000 },
        max_metadata_bytes: 8192,
        max_wait_secs: 60,
        idempotency_ttl_secs: 300,
        invocation_retention_secs: 86_400,
        log_retention_lines: 1000,
      },
      features: [
        'call-context',
        'binary',
        'idempotency',
        'async',
        'cancel',
        'list',
        'conditional-replace',
        'logs',
        'head',
      ],
    });
  });

  it.each([
    ['GET', '/', 404, 'NOT_FOUND'],
    ['GET', '/api/', 404, 'NOT_FOUND'],
    ['GET', '/api/functions/echo/invoke/', 404, 'NOT_FOUND'],
    ['GET', '/api/invocations/', 404, 'NOT_FOUND'],
    ['GET', '/api/invocations/nobody', 404, 'NOT_FOUND'],
    ['GET', '/api/invocations/nobody/result', 404, 'NOT_FOUND'],
    ['POST', '/api/invocations/nobody/cancel', 404, 'NOT_FOUND'],
    ['GET', '/api/functions/nobody/logs', 404, 'NOT_FOUND'],
    ['GET', '/api/functions?limit=0', 400, 'INVALID_REQUEST'],
    ['GET', '/api/functions?limit=1001', 400, 'INVALID_REQUEST'],
    ['GET', '/api/invocations?status=lost', 400, 'INVALID_REQUEST'],
    ['GET', '/api/invocations?after=x', 400, 'INVALID_REQUEST'],
    ['GET', '/api/functions/echo/logs?tail=-1', 400, 'INVALID_REQUEST'],
    ['GET', '/api/functions/echo/logs?since=yesterday', 400, 'INVALID_REQUEST'],
    ['GET', '/api/functions/echo/logs?follow=maybe', 400, 'INVALID_REQUEST'],
    ['GET', '/api/functions/echo/', 404, 'NOT_FOUND'],
    ['POST', '/api/functions/echo/invoke/more', 404, 'NOT_FOUND'],
    ['GET', '/api/functions/echo/constructor', 404, 'NOT_FOUND'],
    ['GET', '/api/functions/nobody', 404, 'NOT_FOUND'],
    ['POST', '/api/functions/nobody/invoke', 404, 'NOT_FOUND'],
    ['POST', '/job/99', 404, 'NOT_FOUND'],
    ['POST', '/job/one', 400, 'INVALID_NAME'],
    ['POST', '/job/01', 400, 'INVALID_NAME'],
    ['POST', '/job/-1', 400, 'INVALID_NAME'],
    ['GET', '/api/functions/UPPER', 400, 'INVALID_NAME'],
    ['GET', '/api/functions/-x', 400, 'INVALID_NAME'],
    ['GET', `/api/functions/${'x'.repeat(64)}`, 400, 'INVALID_NAME'],
    ['GET', '/api/functions/__proto__', 400, 'INVALID_NAME'],
    ['GET', '/api/functions/a%2Fb', 400, 'INVALID_NAME'],
    ['GET', '/api/functions/a%00', 400, 'INVALID_NAME'],
    ['GET', '/api/functions/%E0%A4%A', 400, 'INVALID_NAME'],
    ['GET', '/api/functions/%C3%A4', 400, 'INVALID_NAME'],
  ])('%s %s is %d %s', async (method, path, status, code) => {
    const reply = await server.request(method, path);
    expect([reply.status, reply.body.code]).toEqual([status, code]);
    expect(reply.body).toMatchObject({ error: expect.any(String), details: expect.any(Object) });
    expect(reply.headers.get('content-type')).toBe('application/json');
    expect(reply.headers.get('x-faas-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each(['..', '%2e%2e', '.%2E', '..%2f..%2fetc'])(
    'PUT, GET and DELETE of the raw name %s are INVALID_NAME',
    async (name) => {
      for (const method of ['PUT', 'GET', 'DELETE']) {
        const reply = await raw(
          `${method} /api/functions/${name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
        );
        expect(statuses(reply)).toEqual([400]);
        expect(reply).toContain('INVALID_NAME');
      }
    },
  );

  it('a percent-encoded name is the same name', async () => {
    expect((await server.request('GET', '/api/functions/%65cho')).body.function_id).toBe('echo');
  });

  it.each([
    ['POST', '/api', 'GET, HEAD'],
    ['POST', '/api/functions/echo', 'PUT, GET, HEAD, DELETE'],
    ['GET', '/api/functions/echo/invoke', 'POST, HEAD'],
    ['PUT', '/api/functions/echo/health', 'GET, HEAD'],
    ['GET', '/api/functions/echo/warm', 'POST'],
    ['GET', '/job/1', 'POST, HEAD'],
    ['OPTIONS', '/job/1', 'POST, HEAD'],
    ['POST', '/api/functions', 'GET, HEAD'],
    ['DELETE', '/api/functions/echo/logs', 'GET, HEAD'],
    ['PUT', '/api/invocations', 'GET, HEAD'],
    ['DELETE', '/api/invocations/x', 'GET, HEAD'],
    ['GET', '/api/invocations/x/cancel', 'POST'],
  ])('%s %s is 405 with Allow: %s', async (method, path, allow) => {
    const { status, headers, body } = await server.request(method, path);
    expect([status, headers.get('allow'), body.code]).toEqual([405, allow, 'METHOD_NOT_ALLOWED']);
  });

  it.each([undefined, 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonx'])(
    'a call with the type %s is 415, so that no page elsewhere can make a browser send one',
    async (type) => {
      const headers: Record<string, string> = type === undefined ? {} : { 'Content-Type': type };
      const response = await fetch(`${server.platform.url}/api/functions/echo/invoke`, {
        method: 'POST',
        headers,
        body: new Blob(['{"job_id":1,"args":[]}']),
      });
      expect(response.status).toBe(415);
      expect(await response.json()).toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE', executed: 'no' });
    },
  );

  it.each(['application/json', 'Application/JSON', 'application/json; charset=utf-8', 'application/json\t;'])(
    'a call with the type %j is taken',
    async (type) => {
      expect((await server.invoke('echo', [1], { 'Content-Type': type })).status).toBe(200);
    },
  );

  it('a deploy of another type is 415', async () => {
    const reply = await server.request('PUT', '/api/functions/typed', {
      body: 'x',
      headers: { 'Content-Type': 'multipart/form-data' },
    });
    expect([reply.status, reply.body.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it.each([
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '',
    'localhost@evil',
  ])('the Host %j is FORBIDDEN (DNS rebinding)', async (host) => {
    const reply = await raw(`GET /api HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(statuses(reply)).toEqual([403]);
    expect(reply).toContain('FORBIDDEN');
  });

  it.each(['localhost', 'LOCALHOST:1234', '127.0.0.1', '127.8.8.8:1', '[::1]:8080'])(
    'the Host %s is this machine',
    async (host) => {
      expect(statuses(await raw(`GET /api HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`))).toEqual([
        200,
      ]);
    },
  );

  it('a body declared too large is refused before it is sent, and one that turns out too large while it is', async () => {
    const head =
      'POST /api/functions/echo/invoke HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const declared = await raw(`${head}Connection: close\r\nContent-Length: 99999999\r\n\r\n`, {
      keepOpen: true,
    });
    expect(statuses(declared)).toEqual([413]);
    const chunk = `${(100_000).toString(16)}\r\n${' '.repeat(100_000)}\r\n`;
    const streamed = await raw(`${head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`, {
      keepOpen: true,
    });
    expect(statuses(streamed)).toEqual([413]);
    expect(streamed).toContain('PAYLOAD_TOO_LARGE');
  });

  it('args above the limit are 413, args at the limit are taken', async () => {
    expect((await server.invoke('echo', new Uint8Array(1000))).status).toBe(200);
    expect((await server.invoke('echo', new Uint8Array(1001))).body).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      executed: 'no',
    });
  });

  it('Expect: 100-continue is answered with the error alone when the name or the type is wrong', async () => {
    const put = (name: string, type: string): string =>
      `PUT /api/functions/${name} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n`;
    expect(statuses(await raw(put('BAD', 'application/zip'), { keepOpen: true }))).toEqual([400]);
    expect(statuses(await raw(put('good', 'text/plain'), { keepOpen: true }))).toEqual([415]);
  });

  it('Expect: 100-continue is answered with 100 when the body is wanted', async () => {
    const body = '{"job_id":1,"args":[5]}';
    const reply = await raw(
      `POST /api/functions/echo/invoke HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      { keepOpen: true },
    );
    expect(statuses(reply)).toEqual([100, 200]);
    expect(reply).toContain('"result":[5]');
  });

  const START =
    'POST /api/functions/echo/invoke HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  it.each([
    ['no HTTP at all', 'hello\r\n\r\n', [400]],
    ['a NUL in a header', 'GET /api HTTP/1.1\r\nHost: local\0host\r\n\r\n', [400]],
    ['a space before the colon', 'GET /api HTTP/1.1\r\nHost : localhost\r\n\r\n', [400]],
    ['a folded header', 'GET /api HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n', [400]],
    ['no Host', 'GET /api HTTP/1.1\r\n\r\n', [400]],
    ['two lengths', `${START}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, [400]],
    [
      'a length and chunks',
      `${START}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      [400],
    ],
    ['a length in hex', `${START}Content-Length: 0x10\r\n\r\n`, [400]],
    ['a negative length', `${START}Content-Length: -1\r\n\r\n`, [400]],
    ['a broken chunk', `${START}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, [400]],
    [
      'chunk extensions without end',
      `${START}Transfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(20_000)}\r\n`,
      [413],
    ],
    [
      'headers without end',
      `GET /api HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
      [431],
    ],
    ['an unknown method', 'BREW /api HTTP/1.1\r\nHost: localhost\r\n\r\n', [400]],
    [
      'a request for elsewhere',
      'GET http://evil.example/api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      [404],
    ],
  ])(
    '%s is answered once, with JSON where an answer is possible, and the connection ends',
    async (_, text, expected) => {
      const reply = await raw(text, { keepOpen: true });
      expect(statuses(reply)).toEqual(expected);
      expect(reply).toMatch(/\r\n\r\n(\{.*\})?$/s);
      expect((await server.request('GET', '/api')).status).toBe(200);
    },
  );

  it('headers that do not end are cut off after the header time-out, long before the minute Node takes', async () => {
    const begun = Date.now();
    const reply = await raw('GET /api HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', { keepOpen: true });
    expect(statuses(reply)).toEqual([408]);
    expect(Date.now() - begun).toBeLessThan(20_000);
  });

  it('no request makes the platform log a failure of its own', () => {
    expect(server.log.filter((line) => line.level === 'error')).toEqual([]);
  });
});

describe('the address', () => {
  it.each(['0.0.0.0', '::', '192.168.1.1', 'example.org'])(
    '%s is refused while there is no key',
    async (host) => {
      const dataDir = join(await tempFolder(), 'data');
      await expect(startPlatform({ host, port: 0, dataDir })).rejects.toThrow(/holds none .* createKey\(/);
      expect(existsSync(dataDir)).toBe(false);
    },
  );

  it('may be ::1', async () => {
    const dataDir = await tempFolder();
    await using platform = await startPlatform({ host: '::1', port: 0, dataDir }).catch((error) => {
      // A machine without IPv6 says so; then there is nothing to listen on.
      expect(error.code).toMatch(/EADDRNOTAVAIL|EAFNOSUPPORT/);
      return { url: '', [Symbol.asyncDispose]: async () => {} };
    });
    if (platform.url !== '') expect((await fetch(`${platform.url}/api`)).status).toBe(200);
  });

  it('names a port in use, and leaves the data folder free', async () => {
    await using server = await testPlatform();
    const dataDir = await tempFolder();
    const { port } = server.platform;
    await expect(startPlatform({ port, dataDir })).rejects.toThrow(`Port ${port} on 127.0.0.1 is in use`);
    await using second = await testPlatform({ dataDir });
    expect((await second.deploy('x', answer(1))).status).toBe(200);
  });
});
