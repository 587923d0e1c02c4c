import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { echo, node, sh } from './support/bootstraps.js';
import { ended, invokeAsync } from './support/invocations.js';
import { eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';
import { isRunning } from './support/processes.js';

/** Says that it runs, then waits to be let go. */
const gated = (folder: string): string =>
  sh(
    `cat > /dev/null; touch ${folder}/running.$$; while [ ! -e ${folder}/go ]; do sleep 0.02; done; printf '{"result":[1]}'`,
  );
const countIn = async (folder: string, prefix = 'running'): Promise<number> =>
  (await readdir(folder)).filter((name) => name.startsWith(prefix)).length;

describe('an asynchronous call', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform();
    await server.deploy('echo', echo);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('is answered 202 with where to ask, and ends as completed with its result', async () => {
    const reply = await invokeAsync(server, 'echo', [1, 2, 255], { 'X-Faas-Call-Id': 'first.call:1' });
    const statusUrl = `${server.platform.url}/api/invocations/first.call:1`;
    expect(reply.status).toBe(202);
    expect(reply.body).toEqual({
      invocation_id: 'first.call:1',
      function_id: 'echo',
      job_id: 7,
      status: expect.stringMatching(/^(pending|running)$/),
      status_url: statusUrl,
    });
    expect(reply.headers.get('location')).toBe(statusUrl);
    expect(reply.headers.get('preference-applied')).toBe('respond-async');
    const record = await ended(server, 'first.call:1');
    expect(record).toMatchObject({
      invocation_id: 'first.call:1',
      function_id: 'echo',
      job_id: 7,
      status: 'completed',
      attempts: 1,
      result: [1, 2, 255],
      cold_start: expect.any(Boolean),
      executed: 'yes',
    });
    expect(Date.parse(record.created_at)).toBeLessThanOrEqual(Date.parse(record.started_at));
    expect(Date.parse(record.started_at)).toBeLessThanOrEqual(Date.parse(record.finished_at));
    expect(record).not.toHaveProperty('error');
  });

  it('gets an id when the caller has none, and its id is the call id of the function', async () => {
    const script = node(
      'reply([...Buffer.from(input.call_id + " " + input.attempt)], { metadata: input.metadata });',
    );
    await server.deploy('who', script);
    const metadata = Buffer.from('{"tenant":"t"}').toString('base64url');
    const { body } = await invokeAsync(server, 'who', [], {
      'X-Faas-Metadata': metadata,
      'X-Faas-Attempt': '2',
    });
    const record = await ended(server, body.invocation_id);
    expect(Buffer.from(record.result).toString()).toBe(`${body.invocation_id} 2`);
    expect(record.metadata).toEqual({ tenant: 't' });
  });

  it('may come as bytes, and its result may be fetched as bytes', async () => {
    const { body } = await server.request('POST', '/api/functions/echo/invoke', {
      body: Buffer.from([0, 254, 255]),
      headers: {
        'Content-Type': 'application/octet-stream',
        'X-Faas-Job-Id': '5',
        Prefer: 'wait=5, respond-async',
      },
    });
    await ended(server, body.invocation_id);
    const path = `/api/invocations/${body.invocation_id}/result`;
    const accept = { headers: { Accept: 'application/octet-stream' } };
    const { status, headers, bytes } = await server.requestBytes('GET', path, accept);
    expect([status, headers.get('x-faas-job-id'), [...bytes]]).toEqual([200, '5', [0, 254, 255]]);
    expect([...(await server.requestBytes('GET', path)).bytes]).toEqual([0, 254, 255]);
    const asJson = await server.request('GET', path, { headers: { Accept: 'application/json' } });
    expect(asJson.body).toMatchObject({ job_id: 5, result: [0, 254, 255] });
    expect(await server.request('HEAD', path)).toMatchObject({ status: 200, body: undefined });
  });

  it('of an unknown function is 404, never 202', async () => {
    const reply = await invokeAsync(server, 'nobody', []);
    expect([reply.status, reply.body.code, reply.body.executed]).toEqual([404, 'NOT_FOUND', 'no']);
  });

  it('with a bad body is 400, never 202', async () => {
    const headers = { 'Content-Type': 'application/json', Prefer: 'respond-async' };
    const reply = await server.request('POST', '/api/functions/echo/invoke', { body: '{}', headers });
    expect([reply.status, reply.body.code]).toEqual([400, 'INVALID_REQUEST']);
    expect((await invokeAsync(server, 'echo', [], { 'X-Faas-Call-Id': '..' })).status).toBe(400);
  });

  it.each([
    ['FUNCTION_ERROR', 'failed', sh(`printf '{"result":[3],"success":false,"error":"no"}'`), {}, 'yes'],
    ['BAD_OUTPUT', 'failed', sh('echo hello'), {}, 'yes'],
    ['TIMEOUT', 'timeout', sh('sleep 60'), { timeout_secs: 1 }, 'yes'],
  ])('that ends with %s ends as %s', async (code, status, script, config, executed) => {
    const id = `ends-${code.toLowerCase().replace('_', '-')}`;
    await server.deploy(id, script, config);
    const { body } = await invokeAsync(server, id);
    const record = await ended(server, body.invocation_id);
    expect(record).toMatchObject({ status, code, executed, attempts: 1, error: expect.any(String) });
    if (code === 'FUNCTION_ERROR') expect(record.result).toEqual([3]);
    const result = await server.request('GET', `/api/invocations/${body.invocation_id}/result`);
    expect([result.status, result.body.code]).toEqual([409, 'NO_RESULT']);
  });

  it('again with the same id and content names the same invocation; with other content it is 422', async () => {
    const id = { 'X-Faas-Call-Id': 'twice' };
    const replies = await Promise.all([1, 2, 3].map(() => invokeAsync(server, 'echo', [4], id)));
    expect(replies.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(await ended(server, 'twice')).toMatchObject({ status: 'completed', attempts: 1 });
    expect((await invokeAsync(server, 'echo', [4], id)).body.status).toBe('completed');
    const other = await invokeAsync(server, 'echo', [5], id);
    expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_MISMATCH']);
    const { body } = await server.request('GET', '/api/functions/echo/logs?call_id=twice');
    expect(body.message).toContain('completed');
  });

  it('can be asked for again when its function is gone', async () => {
    await server.deploy('gone', echo);
    await invokeAsync(server, 'gone', [1], { 'X-Faas-Call-Id': 'of-gone' });
    await ended(server, 'of-gone');
    await server.request('DELETE', '/api/functions/gone');
    const again = await invokeAsync(server, 'gone', [1], { 'X-Faas-Call-Id': 'of-gone' });
    expect([again.status, again.body.status]).toEqual([202, 'completed']);
    expect((await ended(server, 'of-gone')).result).toEqual([1]);
  });

  it('shares its idempotency key with synchronous calls', async () => {
    const key = { 'X-Faas-Idempotency-Key': 'shared' };
    const first = await invokeAsync(server, 'echo', [8], key);
    await ended(server, first.body.invocation_id);
    const second = await invokeAsync(server, 'echo', [8], key);
    expect(second.body).toMatchObject({ invocation_id: first.body.invocation_id, status: 'completed' });
    expect(second.headers.get('x-faas-replayed')).toBe('true');
    const sync = await server.invoke('echo', [8], key);
    expect([sync.body.result, sync.headers.get('x-faas-replayed')]).toEqual([[8], 'true']);
    expect((await server.invoke('echo', [9], key)).status).toBe(422);
    const other = { 'X-Faas-Idempotency-Key': 'sync-first' };
    await server.invoke('echo', [8], other);
    const replayed = await invokeAsync(server, 'echo', [8], other);
    expect([replayed.status, replayed.body.result]).toEqual([200, [8]]);
    expect(replayed.headers.get('preference-applied')).toBeNull();
  });

  it('is listed with others in the order of arrival, page by page, without results', async () => {
    await server.deploy('listed', echo);
    for (const n of [1, 2, 3]) await invokeAsync(server, 'listed', [n], { 'X-Faas-Call-Id': `listed-${n}` });
    for (const n of [1, 2, 3]) await ended(server, `listed-${n}`);
    const ids: string[] = [];
    let after = '';
    for (let page = 0; page < 3; page++) {
      const query = `function_id=listed&status=completed&limit=1${after}`;
      const { body } = await server.request('GET', `/api/invocations?${query}`);
      expect(body.invocations).toHaveLength(1);
      expect(body.invocations[0]).not.toHaveProperty('result');
      ids.push(body.invocations[0].invocation_id);
      after = `&after=${body.next}`;
      if (page === 2) expect(body).not.toHaveProperty('next');
    }
    expect(ids).toEqual(['listed-1', 'listed-2', 'listed-3']);
    const { body } = await server.request('GET', '/api/invocations?function_id=listed&status=failed');
    expect(body).toEqual({ invocations: [] });
  });
});

describe('waiting for an invocation', () => {
  it('lasts as long as asked, and ends with it', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform();
    await server.deploy('gated', gated(folder));
    const { body } = await invokeAsync(server, 'gated');
    const path = `/api/invocations/${body.invocation_id}`;
    await eventually(async () => (await countIn(folder)) === 1, 'it runs');
    const begun = performance.now();
    expect((await server.request('GET', `${path}?wait=1`)).body).toMatchObject({
      status: 'running',
      attempts: 1,
    });
    expect(performance.now() - begun).toBeGreaterThan(900);
    expect((await server.request('GET', `${path}/result`)).body.code).toBe('NOT_FINISHED');
    const waiting = server.request('GET', `${path}?wait=999999`);
    await writeFile(join(folder, 'go'), '');
    expect((await waiting).body).toMatchObject({ status: 'completed', result: [1] });
    expect(await server.request('HEAD', path)).toMatchObject({ status: 200, body: undefined });
  });

  it('ends when the platform closes; the call is finished by the next one', async () => {
    const folder = await tempFolder();
    const dataDir = await tempFolder();
    const server = await testPlatform({ dataDir, graceMs: 100 });
    await server.deploy('gated', gated(folder));
    await invokeAsync(server, 'gated', [], { 'X-Faas-Call-Id': 'held' });
    await eventually(async () => (await countIn(folder)) === 1, 'it runs');
    const waiting = server.request('GET', '/api/invocations/held?wait=60');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await server.platform.close();
    expect((await waiting).body.status).toBe('running');
    await writeFile(join(folder, 'go'), '');
    await using next = await testPlatform({ dataDir });
    expect(await ended(next, 'held')).toMatchObject({ status: 'completed', attempts: 2, result: [1] });
    expect(await countIn(folder)).toBe(2);
  });
});

describe('cancelling an invocation', () => {
  it('ends a running one by killing it, a pending one at once, and leaves an ended one alone', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 1 });
    await server.deploy('gated', sh(`cat > /dev/null; echo $$ > ${folder}/running; exec sleep 300`));
    await server.deploy('second', sh(`cat > /dev/null; touch ${folder}/second; printf '{"result":[2]}'`));
    await invokeAsync(server, 'gated', [], { 'X-Faas-Call-Id': 'a' });
    await eventually(async () => (await countIn(folder)) === 1, 'the first runs');
    await invokeAsync(server, 'second', [], { 'X-Faas-Call-Id': 'b' });
    const cancel = (id: string) => server.request('POST', `/api/invocations/${id}/cancel`);
    const pending = await cancel('b');
    expect([pending.status, pending.body]).toMatchObject([
      200,
      { status: 'cancelled', code: 'CANCELLED', attempts: 0, executed: 'no' },
    ]);
    const pid = Number(await readFile(join(folder, 'running'), 'utf8'));
    const running = await cancel('a');
    expect(running.body).toMatchObject({
      status: 'cancelled',
      code: 'CANCELLED',
      attempts: 1,
      executed: 'yes',
    });
    expect(isRunning(Number(pid))).toBe(false);
    expect((await cancel('a')).body).toEqual(running.body);
    expect(existsSync(join(folder, 'second'))).toBe(false);
    await invokeAsync(server, 'second', [], { 'X-Faas-Call-Id': 'c' });
    const done = await ended(server, 'c');
    expect((await cancel('c')).body).toEqual(done);
  });

  it('of one that waits for a slot takes it out of the line', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 1 });
    await server.deploy('gated', gated(folder));
    await server.deploy('second', sh(`cat > /dev/null; touch ${folder}/second; printf '{"result":[2]}'`));
    const sync = server.invoke('gated');
    await eventually(async () => (await countIn(folder)) === 1, 'a synchronous call has the slot');
    await invokeAsync(server, 'second', [], { 'X-Faas-Call-Id': 'waits' });
    const { body } = await server.request('POST', '/api/invocations/waits/cancel');
    expect(body).toMatchObject({ status: 'cancelled', attempts: 0, executed: 'no' });
    await writeFile(join(folder, 'go'), '');
    expect((await sync).status).toBe(200);
    expect(existsSync(join(folder, 'second'))).toBe(false);
  });
});

describe('the queue of asynchronous calls', () => {
  it('runs as many at once as the platform and the function allow, and no function holds up the others', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 3 });
    await server.deploy('gated', gated(folder), { max_concurrency: 1 });
    await server.deploy('quick', echo);
    for (let n = 0; n < 5; n++) await invokeAsync(server, 'gated', [], { 'X-Faas-Call-Id': `g${n}` });
    await invokeAsync(server, 'quick', [1], { 'X-Faas-Call-Id': 'q' });
    expect(await ended(server, 'q')).toMatchObject({ status: 'completed' });
    expect(await countIn(folder)).toBe(1);
    expect((await server.request('GET', '/api/invocations?status=pending')).body.invocations).toHaveLength(4);
    await writeFile(join(folder, 'go'), '');
    for (let n = 0; n < 5; n++) expect((await ended(server, `g${n}`)).status).toBe('completed');
  });

  it('answers 429 with Retry-After, not 202, when it is full', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 1, asyncQueueSize: 2 });
    await server.deploy('gated', gated(folder));
    await invokeAsync(server, 'gated', [], { 'X-Faas-Call-Id': 'runs' });
    await eventually(async () => (await countIn(folder)) === 1, 'one runs');
    const replies = await Promise.all(Array.from({ length: 5 }, () => invokeAsync(server, 'gated')));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([202, 202, 429, 429, 429]);
    const refused = replies.find(({ status }) => status === 429);
    expect(refused?.body).toMatchObject({ code: 'THROTTLED', executed: 'no' });
    expect(refused?.headers.get('retry-after')).toBe('1');
    expect((await invokeAsync(server, 'gated', [], { 'X-Faas-Call-Id': 'runs' })).status).toBe(202);
    await writeFile(join(folder, 'go'), '');
  });

  it('answers 503 with Retry-After, not 202, when its records are full', async () => {
    await using server = await testPlatform({ limits: { maxStoredBytes: 1000 } });
    await server.deploy('echo', echo);
    await invokeAsync(
      server,
      'echo',
      Array.from({ length: 1000 }, () => 1),
      { 'X-Faas-Call-Id': 'big' },
    );
    await ended(server, 'big');
    for (const reply of [
      await invokeAsync(server, 'echo', [1]),
      await server.invoke('echo', [1], { 'X-Faas-Idempotency-Key': 'k' }),
    ]) {
      expect(reply.body).toMatchObject({ code: 'UNAVAILABLE', executed: 'no' });
      expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '60']);
    }
    expect((await server.invoke('echo', [1])).status).toBe(200);
  });

  it.each([4, 2, 1])('leaves room for who waits for the answer: %d places', async (concurrency) => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency });
    await server.deploy('gated', gated(folder));
    await server.deploy('echo', echo);
    await Promise.all(Array.from({ length: 8 }, () => invokeAsync(server, 'gated')));
    await eventually(async () => (await countIn(folder)) > 0, 'the backlog runs');
    const reply = server.invoke('echo', [1]);
    // A single place cannot be kept free, but the next turn is that of the call that waits.
    if (concurrency === 1) await writeFile(join(folder, 'go'), '');
    expect((await reply).status).toBe(200);
    await writeFile(join(folder, 'go'), '');
  });

  it('ends an invocation whose time is over before its turn as timeout, without a run', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 1 });
    await server.deploy('gated', gated(folder));
    await invokeAsync(server, 'gated', [], { 'X-Faas-Call-Id': 'runs' });
    await eventually(async () => (await countIn(folder)) === 1, 'one runs');
    for (const id of ['first', 'second'])
      await invokeAsync(server, 'gated', [], { 'X-Faas-Call-Id': id, 'X-Faas-Timeout-Ms': '300' });
    for (const id of ['first', 'second']) {
      const record = await ended(server, id);
      expect(record).toMatchObject({ status: 'timeout', code: 'TIMEOUT', attempts: 0, executed: 'no' });
      expect(record).not.toHaveProperty('started_at');
    }
    await writeFile(join(folder, 'go'), '');
    expect((await ended(server, 'runs')).status).toBe('completed');
    expect(await countIn(folder)).toBe(1);
  });

  it('survives many more calls than may wait for a slot', async () => {
    await using server = await testPlatform({ concurrency: 2, queueSize: 1 });
    await server.deploy('quick', sh(`printf '{"result":[1]}'`));
    const ids = Array.from({ length: 30 }, (_, n) => `call-${n}`);
    await Promise.all(ids.map((id) => invokeAsync(server, 'quick', [], { 'X-Faas-Call-Id': id })));
    const records = await Promise.all(ids.map((id) => ended(server, id)));
    expect(records.filter(({ status, attempts }) => status !== 'completed' || attempts !== 1)).toEqual([]);
  });

  it('ends what is left of a deleted function as failed, NOT_FOUND', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 1 });
    await server.deploy('gated', gated(folder));
    await server.deploy('doomed', echo);
    await invokeAsync(server, 'gated', [], { 'X-Faas-Call-Id': 'runs' });
    await invokeAsync(server, 'doomed', [], { 'X-Faas-Call-Id': 'left' });
    await server.request('DELETE', '/api/functions/doomed');
    await writeFile(join(folder, 'go'), '');
    expect(await ended(server, 'left')).toMatchObject({
      status: 'failed',
      code: 'NOT_FOUND',
      executed: 'no',
      attempts: 0,
    });
  });
});
