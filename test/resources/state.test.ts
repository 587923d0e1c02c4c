import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  emptyState,
  FileBackend,
  openStateBackend,
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
