import { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { type E2eClient, e2eClient } from './support/e2e.js';
import { openFaasClient } from './support/openfaas.js';
import { eventually, type TestPlatform, testPlatform } from './support/platform.js';

let server: TestPlatform;
let e2e: E2eClient;

/** Says whatever bytes its caller wants it to, in the place of an answer. */
const LIAR = `
const http = require('node:http');
http.ServerResponse.prototype.writeHead = function () { return this; };
http.ServerResponse.prototype.end = function () {
  this.socket.end(Buffer.from(this.req.headers['x-say'], 'hex'));
};
module.exports = async () => 'unheard';`;
const say = (head: string) => ({ 'X-Say': Buffer.from(`${head}\r\n\r\n`, 'latin1').toString('hex') });

beforeAll(async () => {
  server = await testPlatform({ namespace: 'openfaas-fn' });
  e2e = e2eClient(server, 'openfaas-fn');
  await e2e.create({ name: 'liar', code_inline: LIAR });
});
afterAll(() => server[Symbol.asyncDispose]());

const BAD_HEADS = [
  'HTTP/1.1 099 Odd\r\nContent-Length: 0',
  'HTTP/1.1 000 Odd\r\nContent-Length: 0',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade',
  'HTTP/1.1 101 Switching Protocols',
  'HTTP/1.1 999 Odd\r\nContent-Length: 0',
  'HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 0',
  'HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0',
];

describe('what a function says that is no answer', () => {
  it.each(BAD_HEADS)('is a failure of the function, and the platform goes on: %j', async (head) => {
    for (const accept of ['*/*', 'text/event-stream']) {
      const { status, text } = await e2e.ask('liar', { headers: { ...say(head), accept } });
      expect([status, text]).toEqual([500, expect.stringContaining('cannot be passed on')]);
    }
    const good = say('HTTP/1.1 201 Created\r\nX-Own: yes\r\nContent-Length: 0');
    const { status, headers } = await e2e.ask('liar', { headers: good });
    expect([status, headers.get('x-own')]).toEqual([201, 'yes']);
  });

  it('ends an asynchronous call as failed', async () => {
    const faas = openFaasClient(server);
    const accepted = await faas.call('/async-function/liar', { headers: say(BAD_HEADS[0] ?? '') });
    const path = `/async-function/${accepted.headers.get('x-call-id')}`;
    const state = async () => JSON.parse((await faas.call(path, { method: 'GET' })).text);
    await eventually(async () => (await state()).finished_at !== undefined, 'it has ended');
    expect(await state()).toMatchObject({ status: 'failed', code: 'FUNCTION_ERROR' });
    expect((await faas.call(`${path}/result`, { method: 'GET' })).status).toBe(500);
  });
});

it('an answer that cannot be written is a 500 with its reason in the log', async () => {
  const writeHead = vi.spyOn(ServerResponse.prototype, 'writeHead').mockImplementationOnce(() => {
    throw new RangeError('no such status');
  });
  const { status, body } = await server.request('GET', '/api');
  writeHead.mockRestore();
  expect([status, body.code]).toEqual([500, 'INFRASTRUCTURE_ERROR']);
  expect(server.log.find(({ event }) => event === 'request-failed')).toMatchObject({
    error: 'no such status',
  });
});
