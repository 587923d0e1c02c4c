import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type OpenFaasClient, openFaasClient } from './support/openfaas.js';
import { eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';

let server: TestPlatform;
let faas: OpenFaasClient;

beforeAll(async () => {
  server = await testPlatform();
  faas = openFaasClient(server);
  await faas.deploy({ service: 'env', envProcess: 'env' });
  await faas.deploy({ service: 'cat', envProcess: 'cat' });
  for (const name of ['env', 'cat']) await faas.ready(name);
});
afterAll(() => server[Symbol.asyncDispose]());

interface Told {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function listener(statuses: number[] = []) {
  const told: Told[] = [];
  const http = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    told.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(statuses.shift() ?? 200).end();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    told,
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/back`,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

describe('asynchronous calls', () => {
  const statusOf = async (id: string) => {
    const { status, text } = await faas.call(`/async-function/${id}`, { method: 'GET' });
    return status === 200 ? JSON.parse(text) : status;
  };

  it('are 202 with an id, by which their state and their answer can be asked for', async () => {
    const { status, text, headers } = await faas.call('/async-function/env.openfaas-fn/p?q=1', { body: 'x' });
    expect([status, text]).toEqual([202, '']);
    const id = headers.get('x-call-id') ?? '';
    await eventually(async () => (await statusOf(id)).status === 'completed', 'it has completed');
    expect(await statusOf(id)).toMatchObject({
      call_id: id,
      function: 'env.openfaas-fn',
      attempts: 1,
      function_status: 200,
    });
    const { text: result, status: code } = await faas.call(`/async-function/${id}/result`, { method: 'GET' });
    expect(code).toBe(200);
    expect(result).toContain('Http_Path=/p\n');
    expect(result).toContain('Http_Query=q=1\n');
    expect(result).toContain(`Http_X_Call_Id=${id}\n`);
    expect(await statusOf('nothing')).toBe(404);
  });

  it('that share the call id of their caller are calls of their own, and each is told of', async () => {
    await using back = await listener();
    const send = async (path: string, body: string) => {
      const given = { 'X-Call-Id': 'chain-1', 'X-Callback-Url': back.url };
      const { status, headers } = await faas.call(`/async-function/${path}`, { body, headers: given });
      expect([status, headers.has('x-call-id')]).toEqual([202, false]);
      return headers.get('x-faas-invocation-id') ?? '';
    };
    const ids = await Promise.all([send('env/one', ''), send('env/two?x=1', ''), send('cat', 'other')]);
    await eventually(() => back.told.length === 3, 'each is told of');
    const told = back.told.map(({ body }) => /Http_Path=(.*)/.exec(body)?.[1] ?? body);
    expect(told.sort()).toEqual(['/one', '/two', 'other']);
    for (const { headers } of back.told) expect(headers['x-call-id']).toBe('chain-1');
    for (const id of ids)
      expect(await statusOf(id)).toMatchObject({
        invocation_id: id,
        call_id: 'chain-1',
        status: 'completed',
      });
    // The id they share names the newest.
    const newest = await send('cat', 'newest');
    expect(await statusOf('chain-1')).toMatchObject({ invocation_id: newest });
    await eventually(async () => (await statusOf('chain-1')).status === 'completed', 'it has completed');
    const { text, headers } = await faas.call('/async-function/chain-1/result', { method: 'GET' });
    expect([text, headers.get('x-call-id')]).toEqual(['newest', 'chain-1']);
  });

  it('run beside each other, many more than there are processors, and leave room for others', async () => {
    await faas.deploy({ service: 'nap', envProcess: 'sleep 4' });
    await faas.ready('nap');
    const replies = await Promise.all(Array.from({ length: 20 }, () => faas.call('/async-function/nap')));
    const ids = replies.map(({ headers }) => headers.get('x-call-id') ?? '');
    await eventually(
      async () => (await Promise.all(ids.map(statusOf))).every(({ status }) => status === 'running'),
      'all run at once',
    );
    expect((await faas.call('/function/cat', { body: 'still there' })).text).toBe('still there');
    await eventually(
      async () => (await Promise.all(ids.map(statusOf))).every(({ status }) => status === 'completed'),
      'all have completed',
    );
  });

  it('wait for their turn where an instance takes few at once, also among calls that are waited for', async () => {
    await faas.deploy({ service: 'narrow', envProcess: 'sleep 0.1', envVars: { max_inflight: '1' } });
    await faas.ready('narrow');
    const replies = await Promise.all(Array.from({ length: 10 }, () => faas.call('/async-function/narrow')));
    const ids = replies.map(({ headers }) => headers.get('x-call-id') ?? '');
    while (!(await Promise.all(ids.map(statusOf))).every(({ finished_at }) => finished_at !== undefined)) {
      await faas.call('/function/narrow');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const ends = await Promise.all(ids.map(statusOf));
    expect(ends.map(({ status, attempts }) => [status, attempts])).toEqual(ids.map(() => ['completed', 1]));
  });

  it('find the room of instances that come later', async () => {
    await faas.deploy({ service: 'grows', envProcess: 'sleep 8', envVars: { max_inflight: '1' } });
    await faas.ready('grows');
    const replies = await Promise.all([1, 2].map(() => faas.call('/async-function/grows')));
    const ids = replies.map(({ headers }) => headers.get('x-call-id') ?? '');
    const running = async () =>
      (await Promise.all(ids.map(statusOf))).filter(({ status }) => status === 'running').length;
    await eventually(async () => (await running()) === 1, 'one runs');
    await faas.system('POST', 'scale-function/grows', { replicas: 2 });
    await eventually(async () => (await running()) === 2, 'both run', 6000);
  });

  it('wait for a function that cannot run to be put right, or for their deadline', async () => {
    const broken = { service: 'broken', envProcess: 'cat', envVars: { mode: 'bogus' } };
    await faas.deploy(broken);
    await eventually(async () => (await faas.get('broken')).state === 'failed', 'it cannot run');
    const late = await faas.call('/async-function/broken', { headers: { 'X-Faas-Timeout-Ms': '400' } });
    const { headers } = await faas.call('/async-function/broken', { body: 'at last' });
    const id = headers.get('x-call-id') ?? '';
    const lateId = late.headers.get('x-call-id') ?? '';
    await eventually(async () => (await statusOf(lateId)).status === 'timeout', 'the deadline has come');
    expect(await statusOf(id)).toMatchObject({ status: 'pending', attempts: 0 });
    await faas.deploy({ ...broken, envVars: {} });
    await eventually(async () => (await statusOf(id)).status === 'completed', 'it has completed');
    expect((await faas.call(`/async-function/${id}/result`, { method: 'GET' })).text).toBe('at last');
    expect((await statusOf(id)).attempts).toBe(1);
  });

  it('can be cancelled', async () => {
    await faas.deploy({ service: 'naps', envProcess: 'sleep 30' });
    await faas.ready('naps');
    const { headers } = await faas.call('/async-function/naps');
    const id = headers.get('x-call-id') ?? '';
    await eventually(async () => (await statusOf(id)).status === 'running', 'it runs');
    expect((await faas.call(`/async-function/${id}/result`, { method: 'GET' })).status).toBe(409);
    expect((await faas.call(`/async-function/${id}`, { method: 'DELETE' })).status).toBe(202);
    expect((await statusOf(id)).status).toBe('cancelled');
    expect((await faas.call('/async-function/nothing', { method: 'DELETE' })).status).toBe(404);
  });

  it('call back with the answer, its status and its id, until somebody listens', async () => {
    await using back = await listener([503, 200]);
    const { headers } = await faas.call('/async-function/cat', {
      body: 'hello',
      headers: { 'X-Callback-Url': back.url },
    });
    await eventually(() => back.told.length === 2, 'it was told twice', 25_000);
    for (const { headers: told, body } of back.told) {
      expect(body).toBe('hello');
      expect(told).toMatchObject({
        'x-call-id': headers.get('x-call-id'),
        'x-function-status': '200',
        'x-function-name': 'cat.openfaas-fn',
      });
      expect(Number(told['x-duration-seconds'])).toBeGreaterThan(0);
    }
  });

  it('call back few at once, however many have ended, and all in the end', async () => {
    const held: (() => void)[] = [];
    let count = 0;
    const http = createServer((request, response) => {
      request.resume();
      count++;
      held.push(() => response.end());
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
    const calls = Array.from({ length: 12 }, () =>
      faas.call('/async-function/cat', { headers: { 'X-Callback-Url': url } }),
    );
    const ids = (await Promise.all(calls)).map(({ headers }) => headers.get('x-call-id') ?? '');
    await eventually(
      async () => (await Promise.all(ids.map(statusOf))).every(({ status }) => status === 'completed'),
      'all have completed',
    );
    await eventually(() => count === 4, 'the first are told');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(count).toBe(4);
    await eventually(() => {
      for (const answer of held.splice(0)) answer();
      return count === 12;
    }, 'all are told');
    for (const answer of held) answer();
    http.closeAllConnections();
    http.close();
  });

  it('call back only hosts that may be, and only over HTTP', async () => {
    for (const url of [
      'http://10.0.0.1/',
      'http://metadata.internal/',
      'file:///etc/passwd',
      'not a url',
      'http://a:b@127.0.0.1/',
    ]) {
      const { status, text } = await faas.call('/async-function/cat', { headers: { 'X-Callback-Url': url } });
      expect(status).toBe(400);
      expect(text).toMatch(/^(X-Callback-Url: |parse ")/);
    }
  });

  it('that ended while nobody could be told are told by the next platform', async () => {
    const dataDir = await tempFolder();
    await using back = await listener([503, 503, 200]);
    const first = await testPlatform({ dataDir });
    const before = openFaasClient(first);
    await before.deploy({ service: 'cat', envProcess: 'cat' });
    await before.ready('cat');
    await before.call('/async-function/cat', { body: 'late', headers: { 'X-Callback-Url': back.url } });
    await eventually(() => back.told.length === 1, 'the first try');
    await first.platform.close();
    await using _second = await testPlatform({ dataDir });
    await eventually(() => back.told.length === 3, 'the next platform tells', 25_000);
    expect(back.told.at(-1)?.body).toBe('late');
  });
});
