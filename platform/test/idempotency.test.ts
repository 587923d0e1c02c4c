import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { node, sh } from './support/bootstraps.js';
import { eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';

describe('a call with an idempotency key', () => {
  let server: TestPlatform;
  let folder: string;

  beforeAll(async () => {
    server = await testPlatform();
    folder = await tempFolder();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** Leaves a file for each run, then answers with what it was given. */
  const counted = (body: string): string =>
    node(`fs.writeFileSync('${folder}/' + process.env.FAAS_FUNCTION_ID + '.' + process.pid, ''); ${body}`);
  const runs = async (id: string): Promise<number> =>
    (await readdir(folder)).filter((name) => name.startsWith(`${id}.`)).length;
  const key = (value: string): Record<string, string> => ({ 'X-Faas-Idempotency-Key': value });

  it('runs once; the same call again gets the same answer and says so', async () => {
    await server.deploy('once', counted('reply([...input.args, 9], { metadata: { a: "b" } });'));
    const first = await server.invoke('once', [1], key('k1'));
    const second = await server.invoke('once', [1], key('k1'));
    expect(first.headers.get('x-faas-replayed')).toBeNull();
    expect(second.headers.get('x-faas-replayed')).toBe('true');
    const { call_id: firstId, ...answer } = first.body;
    const { call_id: secondId, ...again } = second.body;
    expect(again).toEqual(answer);
    expect(firstId).not.toBe(secondId);
    expect(await runs('once')).toBe(1);
    expect((await server.invoke('once', [1], key('k2'))).headers.get('x-faas-replayed')).toBeNull();
    expect(await runs('once')).toBe(2);
  });

  it('may be asked again in the other form', async () => {
    const { bytes, headers } = await server.requestBytes('POST', '/api/functions/once/invoke', {
      body: Buffer.from([1]),
      headers: {
        ...key('k1'),
        'Content-Type': 'application/octet-stream',
        Accept: 'application/octet-stream',
        'X-Faas-Job-Id': '7',
      },
    });
    expect([[...bytes], headers.get('x-faas-replayed')]).toEqual([[1, 9], 'true']);
  });

  it.each([
    ['other args', '/api/functions/once/invoke', '{"job_id":7,"args":[2]}'],
    ['another job', '/api/functions/once/invoke', '{"job_id":8,"args":[1]}'],
  ])('with %s under the same key is 422', async (_, path, body) => {
    const headers = { 'Content-Type': 'application/json', ...key('k1') };
    const reply = await server.request('POST', path, { body, headers });
    expect(reply.status).toBe(422);
    expect(reply.body).toMatchObject({ code: 'IDEMPOTENCY_MISMATCH', executed: 'no', success: false });
  });

  it('has a key of its own for each function', async () => {
    await server.deploy('other', counted('reply([5]);'));
    expect((await server.invoke('other', [1], key('k1'))).body.result).toEqual([5]);
  });

  it('while the first one runs is 409 IN_PROGRESS with Retry-After, executed "maybe"', async () => {
    const slow = sh(
      `cat > /dev/null; touch ${folder}/slow.$$; while [ ! -e ${folder}/go ]; do sleep 0.02; done; printf '{"result":[1]}'`,
    );
    await server.deploy('slow', slow);
    const first = server.invoke('slow', [1], key('k'));
    await eventually(async () => (await runs('slow')) === 1, 'the first one runs');
    const second = await server.invoke('slow', [1], key('k'));
    expect(second.body).toMatchObject({ code: 'IN_PROGRESS', executed: 'maybe' });
    expect([second.status, second.headers.get('retry-after')]).toEqual([409, '1']);
    expect((await server.invoke('slow', [2], key('k'))).status).toBe(422);
    await writeFile(join(folder, 'go'), '');
    expect((await first).body.result).toEqual([1]);
    expect((await server.invoke('slow', [1], key('k'))).headers.get('x-faas-replayed')).toBe('true');
  });

  it.each([
    ['FUNCTION_ERROR', sh('echo x >&2; exit 4'), {}],
    ['BAD_OUTPUT', sh('echo hello'), {}],
    ['TIMEOUT', sh('sleep 60'), { timeout_secs: 1 }],
  ])('that ended with %s is told again, not run again', async (code, script, config) => {
    const id = code.toLowerCase().replace('_', '-');
    await server.deploy(id, script, config);
    const first = await server.invoke(id, [1], key('k'));
    const second = await server.invoke(id, [1], key('k'));
    expect(first.body.code).toBe(code);
    expect(second.status).toBe(first.status);
    expect({ ...second.body, call_id: '' }).toEqual({ ...first.body, call_id: '' });
    expect(second.headers.get('x-faas-replayed')).toBe('true');
  });

  it('that did not run is not kept', async () => {
    await server.deploy('later', counted('reply([3]);'));
    const first = await server.invoke('later', [1], { ...key('k'), 'X-Faas-Timeout-Ms': '0' });
    expect(first.body).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    expect((await server.invoke('later', [1], key('k'))).body.result).toEqual([3]);
  });

  it('runs once when it comes synchronously and asynchronously at the same time', async () => {
    await server.deploy('both', counted('reply([6]);'));
    const waits = { Prefer: 'respond-async' };
    for (let n = 0; n < 10; n++) {
      const together = [{ ...key(`k${n}`), ...waits }, key(`k${n}`)];
      // Each of the two in front, and a second asynchronous one beside them.
      const order = [...(n % 2 === 0 ? together : together.toReversed()), { ...key(`k${n}`), ...waits }];
      const replies = await Promise.all(order.map((headers) => server.invoke('both', [1], headers)));
      for (const { status, body } of replies)
        expect(status === 200 || status === 202 || body.code === 'IN_PROGRESS').toBe(true);
      await eventually(
        async () => (await server.invoke('both', [1], key(`k${n}`))).status === 200,
        'it has ended',
      );
      expect((await server.invoke('both', [2], key(`k${n}`))).body.code).toBe('IDEMPOTENCY_MISMATCH');
    }
    expect(await runs('both')).toBe(10);
  });

  it('whose caller went away is killed, and runs again for the next caller', async () => {
    const hang = sh(
      `cat > /dev/null; touch ${folder}/hang.$$; [ -e ${folder}/again ] || sleep 60; printf '{"result":[1]}'`,
    );
    await server.deploy('hang', hang);
    const caller = new AbortController();
    const gone = server.invoke('hang', [1], key('k'), caller.signal).catch(() => 'gone');
    await eventually(async () => (await runs('hang')) === 1, 'the call runs');
    caller.abort();
    expect(await gone).toBe('gone');
    await writeFile(join(folder, 'again'), '');
    await eventually(
      async () => (await server.invoke('hang', [1], key('k'))).status === 200,
      'it runs again',
    );
    expect(existsSync(join(folder, 'again'))).toBe(true);
    expect(await runs('hang')).toBe(2);
  });

  it.each(['', 'has space', 'x'.repeat(129)])('with the key %j is refused', async (value) => {
    const { status, body } = await server.invoke('once', [1], key(value));
    expect([status, body.code]).toEqual([400, 'INVALID_REQUEST']);
  });

  it('is remembered over a restart', async () => {
    const dataDir = await tempFolder();
    for (const replayed of [null, 'true']) {
      await using platform = await testPlatform({ dataDir });
      await platform.deploy('kept', sh(`printf '{"result":[4]}'`));
      const { body, headers } = await platform.invoke('kept', [1], key('k'));
      expect([body.result, headers.get('x-faas-replayed')]).toEqual([[4], replayed]);
    }
  });

  it('cannot be kept for less than the specification promises', async () => {
    await expect(testPlatform({ limits: { idempotencyTtlSecs: 60 } })).rejects.toThrow('at least 300');
  });
});
