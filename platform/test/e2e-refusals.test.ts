import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createKey } from '../src/index.js';
import { type E2eClient, e2eClient, NODE } from './support/e2e.js';
import { clientOf, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';
import { zip } from './support/zip.js';

const CODE = 'module.exports = async () => "ok";';

describe('what the E2E door refuses', () => {
  let server: TestPlatform;
  let e2e: E2eClient;

  beforeAll(async () => {
    server = await testPlatform();
    e2e = e2eClient(server);
    await e2e.create({ name: 'taken', code_inline: CODE });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const good = { name: 'good', runtime: NODE, code_inline: CODE };

  it.each([
    ['name', { name: 'ab' }],
    ['name', { name: 'Upper' }],
    ['name', { name: '-dash' }],
    ['name', { name: 'a.b.c' }],
    ['name', { name: 7 }],
    ['runtime', { runtime: 'cobol' }],
    ['runtime', { runtime: undefined }],
    ['template', { template: 'flask' }],
    ['handler_function', { handler_function: 'not a name' }],
    ['config.memory_mb', { config: { memory_mb: 63 } }],
    ['config.memory_mb', { config: { memory_mb: 8193 } }],
    ['config.memory_mb', { config: { memory_mb: '128' } }],
    ['config.timeout_seconds', { config: { timeout_seconds: 901 } }],
    ['config.replicas', { config: { replicas: 6 } }],
    ['config.replicas', { config: { replicas: 1.5 } }],
    ['config.min_scale', { config: { min_scale: 3, max_scale: 2 } }],
    ['config.hardware_type', { config: { hardware_type: 'gpu' } }],
    ['config.cpu', { config: { cpu: 1 } }],
    ['environment.A B', { environment: { 'A B': '1' } }],
    ['environment.FAAS_X', { environment: { FAAS_X: '1' } }],
    ['environment.N', { environment: { N: 1 } }],
    ['labels.n', { labels: { n: 1 } }],
    ['secrets', { secrets: 'one' }],
    ['namespace', { namespace: 'a.b' }],
    ['requirements', { requirements: '# fine\nrequests==2\n' }],
    ['image', { image: 'docker.example/x' }],
    ['code_archive', { code_archive: 'no base64!', code_inline: undefined }],
    ['code_archive', { code_inline: undefined }],
    ['code_inline', { code_archive: 'UEsDBA==' }],
    ['colour', { colour: 'red' }],
  ])('422 names the field %s', async (field, change) => {
    const { status, body } = await e2e.api('POST', '/functions', { ...good, ...change });
    expect([status, body.code, body.details.field]).toEqual([422, 'INVALID_CONFIG', field]);
    expect(body.error).toContain(field);
  });

  it.each([
    ['custom', /container engine/],
    ['php8.2', /no host for php8\.2/],
    ['pytorch2.1.2', /no host/],
  ])('a function of %s, with the reason that /runtimes gives too', async (runtime, reason) => {
    const { status, body } = await e2e.api('POST', '/functions', { ...good, runtime });
    expect([status, body.details.field]).toEqual([422, 'runtime']);
    expect(body.error).toMatch(reason);
    const { runtimes } = (await e2e.api('GET', '/runtimes')).body;
    const listed = runtimes.find(({ name }: { name: string }) => name === runtime);
    expect(listed.available).toBe(false);
    expect(listed.reason).toMatch(reason);
  });

  it('a name that is taken in its namespace, and not in another', async () => {
    const again = await e2e.api('POST', '/functions', { ...good, name: 'taken' });
    expect([again.status, again.body.code]).toEqual([409, 'CONFLICT']);
    const elsewhere = await e2e.create({ ...good, name: 'taken', namespace: 'elsewhere' });
    expect(elsewhere.namespace).toBe('elsewhere');
    await e2e.api('DELETE', `/functions/${elsewhere.id}`);
    const both = await Promise.all(
      [1, 2].map(() => e2e.api('POST', '/functions', { ...good, name: 'race' })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  it('archives that are none, and what would leave the folder', async () => {
    const archive = (bytes: Buffer) =>
      e2e.api('POST', '/functions', {
        name: 'zipped',
        runtime: NODE,
        code_archive: bytes.toString('base64'),
      });
    for (const bytes of [Buffer.from('no zip'), zip([{ name: '../handler.js', content: CODE }])]) {
      const { status, body } = await archive(bytes);
      expect([status, body.code]).toEqual([422, 'INVALID_PACKAGE']);
    }
  });

  it('to change what is fixed, and groups that name fields of others', async () => {
    const id = 'taken.e2e-faas-local';
    for (const body of [
      { name: 'other' },
      { runtime: 'python3.11' },
      { namespace: 'x' },
      { template: 'node' },
    ])
      expect((await e2e.api('PUT', `/functions/${id}`, body)).status).toBe(422);
    expect((await e2e.api('PUT', `/functions/${id}/config`, { labels: {} })).body.details.field).toBe(
      'labels',
    );
    expect((await e2e.api('PUT', `/functions/${id}/code`, { code_sha256: 'x' })).status).toBe(422);
    expect((await e2e.api('POST', `/functions/${id}/scale`, { replicas: 6 })).status).toBe(422);
    expect((await e2e.api('POST', `/functions/${id}/scale`, {})).status).toBe(422);
  });

  it.each([
    ['GET', '/functions/no-such-id', 404],
    ['PUT', '/functions/no-such-id/code', 404],
    ['DELETE', '/functions/no-such-id', 404],
    ['GET', '/functions/no-such-id/logs', 404],
    ['GET', '/nothing', 404],
    ['GET', '/functions/a/b/c', 404],
    ['PATCH', '/functions/x', 405],
    ['GET', '/functions/x/deploy', 405],
    ['PUT', '/runtimes', 405],
    ['GET', '/functions/%zz', 404],
    ['GET', '/functions/__proto__', 404],
    ['GET', '/__proto__', 404],
  ])('%s %s is answered %i, as JSON', async (method, path, expected) => {
    const body = method === 'PUT' ? {} : undefined;
    const reply = await e2e.api(method, path, body);
    expect(reply.status).toBe(expected);
    expect(typeof reply.body.error).toBe('string');
  });

  it('bodies that are no JSON objects, and other types', async () => {
    const post = (body: string, type = 'application/json') =>
      server.request('POST', '/faas/api/v1/functions', { body, headers: { 'Content-Type': type } });
    for (const body of ['', '[]', '{', 'null', '"x"']) expect((await post(body)).status).toBe(400);
    expect((await post(JSON.stringify(good), 'text/plain')).status).toBe(415);
  });

  it('requests of pages of other sites, while it needs no key', async () => {
    for (const headers of [{ Origin: 'https://evil.example' }, { 'Sec-Fetch-Site': 'cross-site' }] as const) {
      const reply = await e2e.ask('taken', { headers: { ...headers } as Record<string, string> });
      expect(reply.status).toBe(403);
    }
    expect((await e2e.ask('taken', { headers: { Origin: server.platform.url } })).status).toBe(200);
  });

  it('no request makes the platform log a failure of its own', () => {
    expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('keys at the E2E door', () => {
  it('are needed for everything, by their rights, and never reach the function', async () => {
    const dataDir = await tempFolder();
    const all = await createKey({ dataDir, name: 'all' });
    const caller = await createKey({ dataDir, name: 'caller', rights: ['invoke'] });
    await using server = await testPlatform({ dataDir, requireKey: true });
    const withKey = (key: string): E2eClient => {
      const client = clientOf(server.platform.url);
      const authorized = { Authorization: `Bearer ${key}` };
      return e2eClient({
        ...client,
        request: (method, path, options) =>
          client.request(method, path, { ...options, headers: { ...options?.headers, ...authorized } }),
        requestBytes: (method, path, options) =>
          client.requestBytes(method, path, { ...options, headers: { ...options?.headers, ...authorized } }),
      });
    };
    const owner = withKey(all.key);
    const code_inline = 'module.exports = async (event) => String(event.headers.authorization);';
    const { id } = await owner.create({ name: 'guarded', code_inline });
    expect((await owner.ask('guarded')).text).toBe('undefined');
    const user = withKey(caller.key);
    expect((await user.ask('guarded')).status).toBe(200);
    expect((await user.api('DELETE', `/functions/${id}`)).status).toBe(403);
    expect((await user.api('GET', '/secrets')).status).toBe(403);
    const nobody = e2eClient(server);
    for (const path of ['/functions', '/runtimes', '/secrets', '/nothing'])
      expect((await nobody.api('GET', path)).status).toBe(401);
    expect((await nobody.ask('guarded')).status).toBe(401);
  });

  it('may be left out by those who call functions, where the platform was told so', async () => {
    const dataDir = await tempFolder();
    await createKey({ dataDir, name: 'all' });
    await using server = await testPlatform({ dataDir, requireKey: true, publicFunctions: true });
    const nobody = e2eClient(server);
    expect((await nobody.ask('nothing')).status).toBe(404);
    expect((await nobody.api('GET', '/functions')).status).toBe(401);
  });
});
