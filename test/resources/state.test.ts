import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaasError } from '../../src/core/errors.js';
import {
  emptyState,
  FileBackend,
  openStateBackend,
  readState,
  stateToJson,
  withLock,
  writeState,
} from '../../src/resources/index.js';
import { backendSuite } from './backend-suite.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-state-'));
});
afterAll(() => rm(folder, { recursive: true }));
let count = 0;
const place = () => {
  count += 1;
  return join(folder, `${count}.state.json`);
};

describe('a state in a file', () => {
  backendSuite(async () => {
    const path = place();
    return () => new FileBackend(path);
  });

  it('leaves nothing half written beside it, and the state before as PATH.backup', async () => {
    const path = place();
    const backend = new FileBackend(path);
    await writeState(backend, { ...emptyState(), serial: 1 });
    await writeState(backend, { ...emptyState(), serial: 2 });
    const name = path.slice(folder.length + 1);
    expect((await readdir(folder)).filter((file) => file.startsWith(name)).sort()).toEqual([
      name,
      `${name}.backup`,
    ]);
    expect(JSON.parse(await readFile(`${path}.backup`, 'utf8'))).toMatchObject({ serial: 1 });
  });

  it('is not lost when the new one cannot be written', async () => {
    const path = place();
    const backend = new FileBackend(path);
    await writeState(backend, { ...emptyState(), serial: 1 });
    // In the way of the new file, as a full disk would be.
    await mkdir(`${path}.${process.pid}.tmp`);
    await expect(writeState(backend, { ...emptyState(), serial: 2 })).rejects.toThrow();
    expect(JSON.parse((await backend.read()) ?? '')).toMatchObject({ serial: 1 });
  });

  it('takes the lock of a process that was killed, and of no other', async () => {
    const path = place();
    const { pid } = spawnSync('true');
    const lock = { id: 'dead', pid, since: '2026-01-01T00:00:00Z', operation: 'apply' };
    await writeFile(`${path}.lock`, JSON.stringify({ ...lock, owner: `root@${hostname()}` }));
    expect(await withLock(new FileBackend(path), 'apply', async () => 'mine')).toBe('mine');
    await writeFile(`${path}.lock`, JSON.stringify({ ...lock, owner: 'root@another-host' }));
    await expect(withLock(new FileBackend(path), 'apply', async () => 'mine')).rejects.toThrow(
      /root@another-host/,
    );
  });
});

describe('what is no state', () => {
  const instance = {
    attributes: {
      name: 'greet',
      runtime: 'node20',
      config: {},
      environment: {},
      secrets: [],
      labels: {},
      annotations: {},
    },
  };
  const greet = { type: 'function', name: 'greet', provider: 'world', instances: [instance] };
  const faultsOf = async (resource: object) => {
    const path = place();
    const state = JSON.parse(stateToJson(emptyState()));
    await writeFile(path, JSON.stringify({ ...state, resources: [resource] }));
    return readState(new FileBackend(path)).then(
      () => 'none',
      (failure: Error) => failure.message,
    );
  };

  it('is told from a state', async () => expect(await faultsOf(greet)).toBe('none'));

  it.each([
    ['no attributes', { ...greet, instances: [{}] }, '(function.greet).instances[0].attributes is missing'],
    ['no instances', { ...greet, instances: undefined }, 'resources[0] (function.greet) has no instances'],
    ['no current one', { ...greet, instances: [] }, '(function.greet) has 0 current instances and not one'],
    ['no provider', { ...greet, provider: undefined }, '(function.greet).provider is missing'],
    [
      'another type',
      { ...greet, type: 'bucket' },
      'resources[0] is of the type "bucket", which is unknown here',
    ],
    ['another status', { ...greet, instances: [{ ...instance, status: 'odd' }] }, '.status is "odd"'],
    [
      'a number for a name',
      { ...greet, instances: [{ attributes: { ...instance.attributes, name: 7, secrets: [1] } }] },
      'instances[0].attributes.name is no text; resources[0] (function.greet).instances[0].attributes.secrets is no list of text',
    ],
  ])('is named with its place: %s', async (_, resource, message) => {
    const said = await faultsOf(resource);
    expect(said).toContain(message);
    expect(said).toMatch(/put back the one before it, .*\.state\.json\.backup, and import/);
  });
});

describe('a lock in a file', () => {
  it.each(['', '{', 'null', '{}'])(
    'that is %j says that nobody knows whose it is, and can be broken',
    async (text) => {
      const path = place();
      await writeFile(`${path}.lock`, text);
      const backend = new FileBackend(path);
      await expect(withLock(backend, 'apply', async () => 1)).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringMatching(/its lock is empty or damaged.*--break-lock unreadable$/),
      });
      await backend.unlock('unreadable');
      expect(await withLock(backend, 'apply', async () => 1)).toBe(1);
    },
  );

  it('that cannot be made stops who writes, and not who reads', async () => {
    const refused = new FaasError({
      code: 'CONFIG',
      executed: 'no',
      message: 'The lock cannot be made.',
      cause: Object.assign(new Error('permission denied'), { code: 'EACCES' }),
    });
    class ReadOnly extends FileBackend {
      override tryLock = () => Promise.reject(refused);
    }
    const backend = new ReadOnly(place());
    await expect(withLock(backend, 'apply', async () => 1)).rejects.toBe(refused);
    const said: string[] = [];
    expect(
      await withLock(
        backend,
        'plan',
        async () => 1,
        (reason) => said.push(reason),
      ),
    ).toBe(1);
    expect(said).toEqual(['The lock cannot be made.']);
  });

  it.each([
    ['in a folder that is not there', () => join(folder, 'nowhere', 'x.json'), 'Make its folder first'],
    ['that is a folder', () => folder, 'That is a folder: name a file in it with --state'],
  ])('or a state %s is refused in words', async (_, path, remedy) => {
    const failure = await withLock(new FileBackend(path()), 'apply', () =>
      readState(new FileBackend(path())),
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'CONFIG', message: expect.stringContaining(remedy) });
  });
});

describe('a state in Postgres that cannot be reached', () => {
  it('is named, without its password, and the remedy too', async () => {
    const backend = await openStateBackend('postgres://me:pass%40word@127.0.0.1:1/jobs?workspace=prod');
    const failure = await readState(backend).catch((error: unknown) => error);
    await backend.close?.();
    expect(failure).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(
        /^The state in the workspace prod in Postgres, postgres:\/\/me@127\.0\.0\.1:1\/jobs, cannot be used: .*ECONNREFUSED.*--state/,
      ),
    });
    expect(String((failure as Error).message)).not.toMatch(/pass(%40|@)word/);
  });

  it('is refused without being shown where its address is no URL', async () => {
    await expect(openStateBackend('postgres://me:pass/word@db:x/jobs')).rejects.toThrow(
      /^The place of the state begins with postgres:\/\/ and is no URL\./,
    );
  });
});

describe('the place of a state', () => {
  it.each([
    ['a path', 'state.json', /state\.json$/],
    ['S3', 's3://bucket/a/b.json?region=eu-central-1', /^s3:\/\/bucket\/a\/b\.json$/],
    [
      'Postgres, without its password',
      'postgres://me:secret@db/jobs?workspace=prod',
      /^the workspace prod in Postgres$/,
    ],
  ])('is named by %s', async (_, address, name) => {
    expect((await openStateBackend(address)).name).toMatch(name);
  });

  it('is refused when nobody knows it', async () => {
    await expect(openStateBackend('ftp://x/y')).rejects.toThrow(/ftp:\/\/\. Use a path/);
  });
});
