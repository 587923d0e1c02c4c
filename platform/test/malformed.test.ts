import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { echo } from './support/bootstraps.js';
import { expectToStandMutations } from './support/http-mutations.js';
import { type TestPlatform, testPlatform } from './support/platform.js';
import { sendRaw } from './support/raw-http.js';

const POST =
  'POST /api/functions/canary/invoke HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
const BODY = '{"job_id":1,"args":[]}';
/** What an attacker would like to be taken for a request of its own. */
const SMUGGLED = 'DELETE /api/functions/canary HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('malformed HTTP', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform();
    await server.deploy('canary', echo);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it.each([
    [
      'a length and chunks',
      `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'chunks and a length',
      `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['two lengths', `${POST}Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`],
    ['two lengths in one header', `${POST}Content-Length: 0, ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`],
    ['a length with a sign', `${POST}Content-Length: +0\r\n\r\n${SMUGGLED}`],
    ['a negative length', `${POST}Content-Length: -5\r\n\r\n${SMUGGLED}`],
    ['a length in hex', `${POST}Content-Length: 0x0\r\n\r\n${SMUGGLED}`],
    ['a length with a space in it', `${POST}Content-Length: 1 0\r\n\r\n${SMUGGLED}`],
    ['a length beyond all numbers', `${POST}Content-Length: 99999999999999999999999\r\n\r\n${SMUGGLED}`],
    ['a space before the colon of the length', `${POST}Content-Length : 0\r\n\r\n${SMUGGLED}`],
    [
      'a space before the colon of the coding',
      `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['an unknown coding', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    ['a coding behind chunked', `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    [
      'a coding behind a control character',
      `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['a folded coding', `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    ['a folded header', `${POST}X-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`],
    ['a header without a colon', `${POST}Nonsense\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`],
    ['a header without a name', `${POST}: x\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`],
    ['a NUL in a name', `${POST}X-\0: x\r\n\r\n${SMUGGLED}`],
    ['a NUL in a value', `${POST}X: \0\r\n\r\n${SMUGGLED}`],
    ['a bare CR in a value', `${POST}X: a\rContent-Length: 0\r\n\r\n${SMUGGLED}`],
    [
      'a chunk size that is none',
      `${POST}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a chunk size beyond all numbers',
      `${POST}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n${SMUGGLED}`,
    ],
    ['a negative chunk size', `${POST}Transfer-Encoding: chunked\r\n\r\n-1\r\n${SMUGGLED}`],
    [
      'a chunk longer than said',
      `${POST}Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a space in a chunk size',
      `${POST}Transfer-Encoding: chunked\r\n\r\n5 5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['a bare LF behind a chunk size', `${POST}Transfer-Encoding: chunked\r\n\r\n0\n\r\n${SMUGGLED}`],
    [
      'chunk extensions without end',
      `${POST}Transfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(20_000)}\r\n${SMUGGLED}`,
    ],
    ['no Host', `GET /api HTTP/1.1\r\n\r\n${SMUGGLED}`],
    ['two Hosts', `GET /api HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n`],
    ['a Host with a path', 'GET /api HTTP/1.1\r\nHost: localhost/x\r\nConnection: close\r\n\r\n'],
    ['a URL of 20,000 characters', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ['100,000 headers', `GET /api HTTP/1.1\r\nHost: localhost\r\n${'X: y\r\n'.repeat(100_000)}\r\n`],
    ['a space in the URL', 'GET /api /functions HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['no version', 'GET /api\r\n\r\n'],
    ['another version', 'GET /api HTTP/3.7\r\nHost: localhost\r\n\r\n'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a method in lower case', `delete /api/functions/canary HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ['CONNECT', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['nothing but line ends', '\r\n\r\n\r\n\r\n'],
    [
      'a request for elsewhere',
      `DELETE http://evil.example/api/functions/canary HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    ],
  ])(
    '%s is 4xx or 501, or the connection closes; nothing behind it is taken for a request',
    async (_, text) => {
      const { statuses, text: reply } = await sendRaw(server.platform.port, Buffer.from(text, 'latin1'));
      expect(statuses.length).toBeLessThanOrEqual(1);
      for (const status of statuses)
        expect([status, status >= 400 && status < 502 && status !== 500]).toEqual([status, true]);
      if (reply !== '') expect(reply).toMatch(/\r\n\r\n(\{.*\})?$/s);
      expect((await server.request('GET', '/api/functions/canary')).status).toBe(200);
    },
  );

  it('an Upgrade is not followed', async () => {
    const { statuses } = await sendRaw(
      server.platform.port,
      'GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n',
    );
    expect(statuses.every((status) => status !== 101)).toBe(true);
  });

  it('X-Forwarded headers change nothing', async () => {
    const headers = {
      'X-Forwarded-Host': 'evil.example',
      'X-Forwarded-Proto': 'https',
      Forwarded: 'host=evil.example',
    };
    const { body } = await server.request('GET', '/api/functions/canary', { headers });
    expect(body.endpoint).toBe(`${server.platform.url}/api/functions/canary/invoke`);
  });

  it.each([
    '{"job_id":1,"args":[],"__proto__":{"x":1}}',
    `{"job_id":1,"args":[],"deep":${'['.repeat(50_000)}}`,
  ])('JSON meant to harm the parser does not (%#)', async (body) => {
    const headers = { 'Content-Type': 'application/json' };
    const reply = await server.request('POST', '/api/functions/canary/invoke', { body, headers });
    expect([200, 400]).toContain(reply.status);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('requests on one connection are answered in their order', async () => {
    const call = `${POST}Content-Length: ${BODY.length}\r\n\r\n${BODY}`;
    const last = 'GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    const { statuses } = await sendRaw(server.platform.port, `${call}${call}${last}`, { keepOpen: true });
    expect(statuses).toEqual([200, 200, 404]);
  });

  it('a body that comes by drops is cut, and others are served in the meantime', async () => {
    const socket = connect(server.platform.port, '127.0.0.1');
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.write(`${POST}Content-Length: 100000\r\n\r\n`);
    const drops = setInterval(() => socket.write(' '), 200);
    expect((await server.invoke('canary', [1])).status).toBe(200);
    await ended;
    clearInterval(drops);
    expect((await server.invoke('canary', [2])).status).toBe(200);
  });

  it('no request makes the platform log a failure of its own', () => {
    expect(server.log.filter((line) => line.level === 'error')).toEqual([]);
  });
});

describe('mutated HTTP', () => {
  it('is answered or cut, and the platform goes on (2,000 requests)', { timeout: 240_000 }, async () => {
    await expectToStandMutations(2000, 20_261_121);
  });
});
