import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type E2eClient, e2eClient, NODE } from './support/e2e.js';
import { eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';

/** Tells what it finds around itself. */
const ENVIRONMENT = `
const fs = require('node:fs');
module.exports = async (event, context) => {
  const folder = process.env.FAAS_SECRETS_DIR;
  const files = folder === undefined ? {} : Object.fromEntries(
    fs.readdirSync(folder).map((name) => [name, fs.readFileSync(folder + '/' + name, 'utf8')]));
  context.succeed({ pid: process.pid, env: process.env, files });
};`;
const fixed = (text: string): string => `module.exports = async () => ${JSON.stringify(text)};`;

describe('changing a function of the E2E door', () => {
  let server: TestPlatform;
  let e2e: E2eClient;

  beforeAll(async () => {
    server = await testPlatform();
    e2e = e2eClient(server);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const around = async (name: string) => JSON.parse((await e2e.ask(name, { method: 'GET' })).text);

  it('new code becomes the next version, and the one before answers until it runs', async () => {
    const { id, code_sha256: first } = await e2e.create({ name: 'code', code_inline: fixed('one') });
    const slow = `require('node:child_process').execSync('sleep 0.5'); ${fixed('two')}`;
    const { status, body } = await e2e.api('PUT', `/functions/${id}/code`, { code_inline: slow });
    expect([status, body.status, body.version]).toEqual([200, 'Updating', 'v2']);
    expect(body.code_sha256).not.toBe(first);
    expect((await e2e.ask('code')).text).toBe('one');
    await e2e.until(id, 'Running');
    expect((await e2e.ask('code')).text).toBe('two');
  });

  it('code that does not load leaves the version before in place, and says so', async () => {
    const { id } = await e2e.create({ name: 'bad-code', code_inline: fixed('good') });
    await e2e.api('PUT', `/functions/${id}/code`, { code_inline: 'throw new RangeError("on load")' });
    const failed = await e2e.until(id, 'Failed');
    expect(failed.error_message).toBe(
      'the code does not load: RangeError: on load (the version before still answers)',
    );
    expect((await e2e.ask('bad-code')).text).toBe('good');
    await e2e.api('PUT', `/functions/${id}/code`, { code_inline: fixed('better') });
    await e2e.until(id, 'Running');
    expect((await e2e.ask('bad-code')).text).toBe('better');
  });

  it('each group changes only what it names', async () => {
    const { id } = await e2e.create({
      name: 'groups',
      code_inline: ENVIRONMENT,
      config: { memory_mb: 256, timeout_seconds: 10 },
      environment: { A: '1' },
      labels: { team: 'x' },
    });
    const pid = (await around('groups')).pid;
    const labelled = await e2e.api('PUT', `/functions/${id}/metadata`, { annotations: { note: 'n' } });
    expect(labelled.body).toMatchObject({ version: 'v1', labels: { team: 'x' }, annotations: { note: 'n' } });
    expect((await around('groups')).pid).toBe(pid);
    await e2e.api('PUT', `/functions/${id}/config`, { memory_mb: 192 });
    expect(await e2e.until(id, 'Running')).toMatchObject({
      version: 'v2',
      config: { memory_mb: 192, timeout_seconds: 10, replicas: 1 },
    });
    await e2e.api('PUT', `/functions/${id}/environment`, { environment: { B: '2' } });
    await e2e.until(id, 'Running');
    const { env } = await around('groups');
    expect([env.A, env.B, env.FAAS_MEMORY_MB]).toEqual([undefined, '2', '192']);
    const whole = await e2e.api('PUT', `/functions/${id}`, {
      name: 'groups',
      runtime: NODE,
      config: { timeout_seconds: 20 },
      environment: {},
      labels: {},
    });
    expect(whole.body).toMatchObject({ environment: {}, labels: {}, config: { timeout_seconds: 20 } });
  });

  it('is scaled up, down to nothing, and woken by the next request', async () => {
    const { id } = await e2e.create({ name: 'scaled', code_inline: ENVIRONMENT, config: { replicas: 2 } });
    await eventually(
      async () => (await e2e.api('GET', `/functions/${id}`)).body.ready_replicas === 2,
      'two replicas',
    );
    const pids = new Set<number>();
    await eventually(async () => {
      for (const { pid } of await Promise.all([around('scaled'), around('scaled')])) pids.add(pid);
      return pids.size === 2;
    }, 'both answer');
    const idle = await e2e.api('POST', `/functions/${id}/scale`, { replicas: 0 });
    expect(idle.body).toMatchObject({ status: 'Idle', config: { replicas: 0 } });
    expect(pids.has((await around('scaled')).pid)).toBe(false);
    expect((await e2e.until(id, 'Running')).config.replicas).toBe(1);
  });

  it('deploy starts fresh instances of the same version', async () => {
    const { id } = await e2e.create({ name: 'again', code_inline: ENVIRONMENT });
    const { pid } = await around('again');
    expect((await e2e.api('POST', `/functions/${id}/deploy`)).status).toBe(202);
    expect((await e2e.until(id, 'Running')).version).toBe('v1');
    expect((await around('again')).pid).not.toBe(pid);
  });

  it('an instance that dies is replaced', async () => {
    const code = `module.exports = async (event, context) =>
      event.path === '/die' ? process.exit(3) : context.succeed(process.pid);`;
    const { id } = await e2e.create({ name: 'mortal', code_inline: code });
    const before = (await e2e.ask('mortal')).text;
    const died = await e2e.ask('mortal', { path: 'die' });
    expect([died.status, JSON.parse(died.text)]).toMatchObject([
      500,
      { code: 'FUNCTION_ERROR', executed: 'maybe', details: { reason: 'it ended with exit code 3' } },
    ]);
    await e2e.until(id, 'Running');
    expect((await e2e.ask('mortal')).text).not.toBe(before);
  });

  it('is gone after DELETE, with its processes and its code', async () => {
    const { id } = await e2e.create({ name: 'gone', code_inline: ENVIRONMENT });
    const { pid } = await around('gone');
    expect((await e2e.api('DELETE', `/functions/${id}`)).status).toBe(200);
    expect((await e2e.api('GET', `/functions/${id}`)).status).toBe(404);
    expect((await e2e.api('DELETE', `/functions/${id}`)).status).toBe(404);
    expect((await e2e.ask('gone')).status).toBe(404);
    await eventually(() => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    }, 'its process has ended');
  });
});

describe('secrets of the E2E door', () => {
  let server: TestPlatform;
  let e2e: E2eClient;

  beforeAll(async () => {
    server = await testPlatform();
    e2e = e2eClient(server);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('are files and variables in the function, and their values come back nowhere', async () => {
    const value = 'hunter2 with\nline ends';
    const made = await e2e.api('POST', '/secrets', { name: 'db-password', value });
    expect([made.status, made.body.name, made.body.namespace]).toEqual([
      201,
      'db-password',
      'e2e-faas-local',
    ]);
    expect((await e2e.api('POST', '/secrets', { name: 'db-password', value: 'x' })).status).toBe(409);
    const { id } = await e2e.create({
      name: 'uses',
      code_inline: ENVIRONMENT,
      secrets: ['db-password'],
    });
    const { env, files } = JSON.parse((await e2e.ask('uses')).text);
    expect(env.DB_PASSWORD).toBe(value);
    expect(files).toEqual({ 'db-password': value });
    const told = await Promise.all(
      ['/secrets', '/secrets/db-password', `/functions/${id}`, '/functions', `/functions/${id}/logs`].map(
        async (path) => JSON.stringify((await e2e.api('GET', path)).body),
      ),
    );
    expect(told.join() + JSON.stringify(server.log)).not.toContain('hunter2');
    const folder = join(server.dataDir, 'secrets', 'e2e-faas-local');
    for (const file of await readdir(folder)) {
      expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
      expect(await readFile(join(folder, file), 'utf8')).not.toContain('hunter2');
    }
  });

  it('that are used cannot be deleted, and the answer names the functions', async () => {
    const refused = await e2e.api('DELETE', '/secrets/db-password');
    expect([refused.status, refused.body.details.functions]).toEqual([409, ['uses']]);
    await e2e.api('DELETE', '/functions/uses.e2e-faas-local');
    expect((await e2e.api('DELETE', '/secrets/db-password')).status).toBe(200);
    expect((await e2e.api('DELETE', '/secrets/db-password')).status).toBe(404);
    expect((await e2e.api('GET', '/secrets')).body).toEqual([]);
  });

  it('reach running functions when they change', async () => {
    await e2e.api('POST', '/secrets', { name: 'token', value: 'old' });
    await e2e.create({ name: 'reads', code_inline: ENVIRONMENT, secrets: ['token'] });
    expect((await e2e.api('PUT', '/secrets/token', { value: 'new' })).status).toBe(200);
    await eventually(
      async () => JSON.parse((await e2e.ask('reads')).text).files.token === 'new',
      'the new value is there',
    );
    expect((await e2e.api('PUT', '/secrets/none', { value: 'x' })).status).toBe(404);
  });

  it('must be there before a function names them', async () => {
    const refused = await e2e.api('POST', '/functions', {
      name: 'hasty',
      runtime: NODE,
      code_inline: fixed(''),
      secrets: ['not-there'],
    });
    expect([refused.status, refused.body.details.secret]).toEqual([422, 'not-there']);
  });

  it.each(['../escape', '.', '..', 'Upper', '', 'a/b', 'a\0b'])('cannot be called %j', async (name) => {
    const { status } = await e2e.api('POST', '/secrets', { name, value: 'x' });
    expect(status).toBe(422);
  });
});

describe('a platform that starts again', () => {
  it('starts the functions it had, with their code, versions and secrets', async () => {
    const dataDir = await tempFolder();
    const first = await testPlatform({ dataDir });
    const before = e2eClient(first);
    await before.api('POST', '/secrets', { name: 'kept', value: 'still here' });
    const code_inline = 'module.exports = async () => process.env.KEPT;';
    const { id } = await before.create({ name: 'stays', runtime: NODE, code_inline, secrets: ['kept'] });
    await first.platform.close();
    await using second = await testPlatform({ dataDir });
    const after = e2eClient(second);
    expect((await after.ask('stays')).text).toBe('still here');
    expect(await after.until(id, 'Running')).toMatchObject({ name: 'stays', version: 'v1' });
  });

  it('lets requests finish before it ends', async () => {
    const server = await testPlatform();
    const e2e = e2eClient(server);
    const code_inline = 'module.exports = () => new Promise((done) => setTimeout(done, 700, "finished"));';
    await e2e.create({ name: 'slow', code_inline });
    const reply = e2e.ask('slow');
    await eventually(
      async () => (await e2e.api('GET', '/functions/slow.e2e-faas-local/metrics')).body.in_flight === 1,
      'it runs',
    );
    await server.platform.close();
    expect(await reply).toMatchObject({ status: 200, text: 'finished' });
  });
});

describe('an instance that is killed under load', () => {
  it('costs the requests it had, and no other; none is left without an answer', {
    timeout: 120_000,
  }, async () => {
    await using server = await testPlatform();
    const e2e = e2eClient(server);
    const code_inline = `module.exports = async (event, context) => {
      await new Promise((done) => setTimeout(done, 20));
      context.succeed(process.pid);
    };`;
    const { id } = await e2e.create({ name: 'killed', code_inline, config: { replicas: 2 } });
    const seen = new Set<number>();
    const statuses: number[] = [];
    let isOver = false;
    const callers = Array.from({ length: 6 }, async () => {
      while (!isOver) {
        const { status, text } = await e2e.ask('killed');
        statuses.push(status);
        if (status === 200) seen.add(Number(text));
        else expect(JSON.parse(text)).toMatchObject({ code: 'FUNCTION_ERROR', executed: 'maybe' });
      }
    });
    for (let kills = 0; kills < 5; kills++) {
      await eventually(
        async () => (await e2e.api('GET', `/functions/${id}`)).body.ready_replicas === 2,
        'two',
      );
      const { text } = await e2e.ask('killed');
      process.kill(Number(text), 'SIGKILL');
      seen.clear();
      await eventually(() => seen.size > 0, 'others answer');
    }
    isOver = true;
    await Promise.all(callers);
    const failed = statuses.filter((status) => status !== 200);
    expect(new Set(failed)).toEqual(new Set([500]));
    // Each of the killed had at most all six callers.
    expect(failed.length).toBeLessThanOrEqual(30);
    expect((await e2e.ask('killed')).status).toBe(200);
  });
});
