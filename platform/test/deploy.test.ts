import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { answer, sh } from './support/bootstraps.js';
import { e2eClient } from './support/e2e.js';
import { eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';
import { bootstrapZip, zip } from './support/zip.js';

describe('deploying a function', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('answers with the record, and GET answers with the same', async () => {
    const code = bootstrapZip(answer(1));
    const { status, body } = await server.deploy('record', code, {
      memory_mb: 256,
      timeout_secs: 9,
      max_concurrency: 3,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      function_id: 'record',
      endpoint: `${server.platform.url}/api/functions/record/invoke`,
      status: 'deployed',
      memory_mb: 256,
      timeout_secs: 9,
      max_concurrency: 3,
      deployed_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      binary_size_bytes: code.length,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      etag: expect.stringMatching(/^[0-9a-f]{40}$/),
    });
    expect((await server.request('GET', '/api/functions/record')).body).toEqual(body);
  });

  it('takes application/octet-stream and the defaults when there is no configuration', async () => {
    const { body } = await server.request('PUT', '/api/functions/plain', {
      body: bootstrapZip(answer(1)),
      headers: { 'Content-Type': 'application/octet-stream' },
    });
    expect(body).toMatchObject({ memory_mb: 512, timeout_secs: 300, max_concurrency: 10 });
  });

  it('names the endpoint by the host the request came to', async () => {
    const url = server.platform.url.replace('127.0.0.1', 'localhost');
    const response = await fetch(`${url}/api/functions/plain`);
    expect(await response.json()).toMatchObject({ endpoint: `${url}/api/functions/plain/invoke` });
  });

  it('the same zip and configuration again change nothing', async () => {
    const first = await server.deploy('again', answer(1), { env_vars: { A: '1', B: '2' } });
    const second = await server.deploy('again', answer(1), { env_vars: { B: '2', A: '1' } });
    expect(second).toMatchObject({ status: 200, body: first.body });
  });

  it.each([
    ['another zip', answer(2), {}],
    ['another configuration', answer(1), { memory_mb: 1024 }],
    ['other variables (origin-defects 0.11)', answer(1), { env_vars: { A: '1' } }],
  ])('%s is a CONFLICT unless replace=true', async (what, script, config) => {
    const id = `conflict-${what.split(' ')[1]}`;
    await server.deploy(id, answer(1));
    const { status, body } = await server.deploy(id, script, config);
    expect([status, body.code, body.details.function_id]).toEqual([409, 'CONFLICT', id]);
    expect((await server.invoke(id)).body.result).toEqual([1]);
    expect((await server.deploy(id, script, config, '?replace=true')).status).toBe(200);
  });

  it('a replacement brings its environment and its configuration along', async () => {
    const print = sh(`printf '{"result":[%s]}' "$N"`);
    await server.deploy('renewed', print, { env_vars: { N: '1' } });
    await server.deploy('renewed', print, { env_vars: { N: '2' }, memory_mb: 640 }, '?replace=true');
    expect((await server.invoke('renewed')).body.result).toEqual([2]);
    expect((await server.request('GET', '/api/functions/renewed')).body.memory_mb).toBe(640);
  });

  it('a running call finishes on the version it started with', async () => {
    const folder = await tempFolder();
    const slow = sh(`touch ${folder}/started; while [ ! -e ${folder}/go ]; do sleep 0.02; done; cat answer`);
    const version = (n: number): Buffer =>
      zip([
        { name: 'bootstrap', content: slow },
        { name: 'answer', content: `{"result":[${n}]}` },
      ]);
    await server.deploy('versions', version(1));
    const running = server.invoke('versions');
    await eventually(() => existsSync(join(folder, 'started')), 'the call runs');
    await server.deploy('versions', version(2), {}, '?replace=true');
    await writeFile(join(folder, 'go'), '');
    expect((await running).body.result).toEqual([1]);
    expect((await server.invoke('versions')).body.result).toEqual([2]);
  });

  it('of parallel deploys of different zips exactly one wins, and its code is what runs', async () => {
    const replies = await Promise.all([1, 2, 3, 4].map((n) => server.deploy('race', answer(n))));
    const winners = replies.flatMap(({ status }, index) => (status === 200 ? [index + 1] : []));
    expect(winners).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 409)).toHaveLength(3);
    expect((await server.invoke('race')).body.result).toEqual(winners);
  });

  it('deploys, deletions and calls of one function at once never mix code', async () => {
    const id = 'churn';
    const rounds = Array.from({ length: 40 }, (_, n) => {
      if (n % 4 === 3) return server.request('DELETE', `/api/functions/${id}`);
      return n % 4 === 2 ? server.invoke(id) : server.deploy(id, answer((n % 4) + 1), {}, '?replace=true');
    });
    for (const { status, body } of await Promise.all(rounds)) {
      expect([200, 404]).toContain(status);
      if (body.result !== undefined && status === 200) expect([[1], [2]]).toContainEqual(body.result);
    }
    expect((await server.deploy(id, answer(9), {}, '?replace=true')).status).toBe(200);
    expect((await server.invoke(id)).body.result).toEqual([9]);
  });

  it('shares code between functions and removes it with the last of them', async () => {
    const script = answer(77);
    const { body } = await server.deploy('twin-a', script);
    await server.deploy('twin-b', script);
    const code = join(server.dataDir, 'code', body.sha256);
    await server.request('DELETE', '/api/functions/twin-a');
    expect((await server.invoke('twin-b')).body.result).toEqual([77]);
    await server.request('DELETE', '/api/functions/twin-b');
    // The last call may still be tidied up; its code goes with it.
    await eventually(() => !existsSync(code), 'the code is removed');
  });

  it('origin-defects 0.15: undeploying says deleted once and NOT_FOUND after, and all calls then do', async () => {
    await server.deploy('short', answer(1));
    expect((await server.request('DELETE', '/api/functions/short')).body).toEqual({
      function_id: 'short',
      status: 'deleted',
    });
    for (const [method, path] of [
      ['DELETE', ''],
      ['GET', ''],
      ['GET', '/health'],
      ['POST', '/warm'],
    ] as const) {
      const { status, body } = await server.request(method, `/api/functions/short${path}`);
      expect([status, body.code, body.details.function_id]).toEqual([404, 'NOT_FOUND', 'short']);
    }
    expect((await server.invoke('short')).body).toMatchObject({
      code: 'NOT_FOUND',
      executed: 'no',
      success: false,
    });
  });

  it('origin-defects 0.10: warm never runs the job and tells the truth about instances', async () => {
    await server.deploy('job256', answer(1));
    expect(await server.request('POST', '/api/functions/job256/warm')).toMatchObject({
      status: 200,
      body: { function_id: 'job256', status: 'warm', instances_warmed: 1 },
    });
    expect((await server.request('GET', '/api/functions/job256/health')).body).toEqual({
      function_id: 'job256',
      status: 'healthy',
      total_invocations: 0,
    });
  });

  it('an upload cut off leaves nothing', async () => {
    const body = bootstrapZip(answer(123));
    await new Promise<void>((resolve) => {
      const upload = httpRequest(`${server.platform.url}/api/functions/cut`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/zip', 'Content-Length': body.length },
      });
      upload.on('error', () => resolve());
      upload.write(body.subarray(0, -1), () => setTimeout(() => upload.destroy(), 50));
    });
    await eventually(
      async () => (await readdir(join(server.dataDir, 'incoming'))).length === 0,
      'the upload is removed',
    );
    expect((await server.request('GET', '/api/functions/cut')).status).toBe(404);
  });

  it('leaves no upload behind', async () => {
    await eventually(
      async () => (await readdir(join(server.dataDir, 'incoming'))).length === 0,
      'the folder is empty',
    );
  });
});

describe('the header X-Blueprint-Config', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const put = (
    header: string,
  ): Promise<{ status: number; body: { code: string; details: { field: string } } }> =>
    server.request('PUT', '/api/functions/configured', {
      body: bootstrapZip(answer(1)),
      headers: { 'Content-Type': 'application/zip', 'X-Blueprint-Config': header },
    });
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const config = (value: unknown): string => base64(JSON.stringify(value));

  it.each([
    ['not base64', '!!!', 'X-Blueprint-Config'],
    [
      'wrapped base64',
      `${config({ memory_mb: 512 }).slice(0, 8)} ${config({ memory_mb: 512 }).slice(8)}`,
      'X-Blueprint-Config',
    ],
    ['base64 without its padding', 'eyJ9', 'X-Blueprint-Config'],
    ['not JSON', base64('{'), 'X-Blueprint-Config'],
    ['not an object', config([1]), 'X-Blueprint-Config'],
    ['an unknown field', config({ memory: 512 }), 'memory'],
    ['too little memory', config({ memory_mb: 64 }), 'memory_mb'],
    ['memory between steps', config({ memory_mb: 200 }), 'memory_mb'],
    ['too much memory', config({ memory_mb: 10_304 }), 'memory_mb'],
    ['memory as text', config({ memory_mb: '512' }), 'memory_mb'],
    ['no time', config({ timeout_secs: 0 }), 'timeout_secs'],
    ['too much time', config({ timeout_secs: 901 }), 'timeout_secs'],
    ['half a second', config({ timeout_secs: 1.5 }), 'timeout_secs'],
    ['no concurrency', config({ max_concurrency: 0 }), 'max_concurrency'],
    ['too much concurrency', config({ max_concurrency: 1001 }), 'max_concurrency'],
    ['variables as a list', config({ env_vars: ['A=1'] }), 'env_vars'],
    ['a variable that is no string', config({ env_vars: { A: 1 } }), 'env_vars.A'],
    ['a variable with a NUL', config({ env_vars: { A: 'a\0b' } }), 'env_vars.A'],
    ['a variable with a bad name', config({ env_vars: { 'A=B': '' } }), 'env_vars.A=B'],
    ['a variable the platform sets', config({ env_vars: { FAAS_CALL_ID: 'x' } }), 'env_vars.FAAS_CALL_ID'],
  ])('is refused with INVALID_CONFIG and the field when it holds %s', async (_, header, field) => {
    const { status, body } = await put(header);
    expect([status, body.code, body.details.field]).toEqual([400, 'INVALID_CONFIG', field]);
    expect((await server.request('GET', '/api/functions/configured')).status).toBe(404);
  });

  it.each([{}, { memory_mb: 128 }, { memory_mb: 10_240, timeout_secs: 900, max_concurrency: 1000 }])(
    'accepts %j',
    async (value) => {
      expect((await server.deploy('accepted', answer(1), value, '?replace=true')).status).toBe(200);
    },
  );
});

describe('an archive that came through another door before', () => {
  const handler = { name: 'handler.js', content: 'module.exports = async () => "ok";' };
  const bootstrap = { name: 'bootstrap', content: answer(1) };
  const manifest = { name: 'faas.json', content: '{"protocol":"nope"}' };

  it.each([
    ['bootstrap is a folder', [{ name: 'bootstrap/x', content: 'x' }, handler]],
    ['bootstrap cannot be started', [{ name: 'bootstrap', content: 'no program' }, handler]],
    ['its manifest cannot be followed', [bootstrap, manifest, handler]],
  ])('is checked all the same: %s', async (_, entries) => {
    await using server = await testPlatform();
    const e2e = e2eClient(server);
    const archive = zip(entries);
    const fields = { name: 'web', code_inline: undefined, code_archive: archive.toString('base64') };
    const { id } = await e2e.create(fields);
    const refused = await server.deploy('refused', archive);
    expect([refused.status, refused.body.code]).toEqual([400, 'INVALID_PACKAGE']);
    expect((await e2e.ask('web')).text).toBe('ok');
    expect((await e2e.api('GET', `/functions/${id}`)).body.status).toBe('Running');
  });

  it('is taken when it is good for both', async () => {
    await using server = await testPlatform();
    const e2e = e2eClient(server);
    const archive = zip([bootstrap, handler]);
    await e2e.create({ name: 'web', code_inline: undefined, code_archive: archive.toString('base64') });
    expect((await server.deploy('both', archive)).status).toBe(200);
    expect((await server.invoke('both')).body.result).toEqual([1]);
    expect((await e2e.ask('web')).text).toBe('ok');
  });
});
