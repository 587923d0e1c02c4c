import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ended, startCli } from './cli.js';

let data: string;
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'jobferry-keys-'));
});
afterAll(() => rm(data, { recursive: true, force: true }));

const keys = (...args: string[]) => ended(startCli(['keys', ...args, '--data', data, '--json']));

describe('jobferry keys', () => {
  it('makes a key that is shown once, lists it without its secret, and revokes it', async () => {
    const made = (await keys('create', 'ci', '--right', 'deploy', '--expires-days', '2')).json();
    expect(made).toMatchObject({ ok: true, name: 'ci', rights: ['deploy'] });
    const id = made['id'] as string;
    const secret = (made['key'] as string).split('_')[2] as string;
    const listed = await keys('list');
    expect(listed.json()).toMatchObject({ keys: [{ id, name: 'ci' }] });
    expect(listed.stdout).not.toContain(secret);
    expect((await keys('revoke', id)).code).toBe(0);
    expect((await keys('revoke', 'nosuchkey000')).code).toBe(4);
  });

  it('says what a right may be', async () => {
    const wrong = await keys('create', 'x', '--right', 'root');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/read, invoke, deploy/);
  });
});

describe('jobferry dev on an address that others can reach', () => {
  it('refuses to start without a key and says how to make one', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'jobferry-nokeys-'));
    const refused = await ended(startCli(['dev', '--host', '0.0.0.0', '--port', '0', '--data', empty]));
    await rm(empty, { recursive: true, force: true });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/key/);
  });
});
