/** What every place for a state must do. */
import { expect, it } from 'vitest';
import { emptyState, readState, type StateBackend, withLock, writeState } from '../../src/resources/index.js';

/** @param open a backend over the same empty place, once for each call of `fresh` */
export function backendSuite(fresh: () => Promise<() => StateBackend>): void {
  it('has no state at first, keeps what is written, and the one before as a backup', async () => {
    const open = await fresh();
    const one = open();
    expect((await readState(one)).serial).toBe(0);
    await writeState(one, { ...emptyState(), serial: 1, lineage: 'a' });
    await writeState(one, { ...emptyState(), serial: 2, lineage: 'a' });
    const other = open();
    expect(await readState(other)).toMatchObject({ serial: 2, lineage: 'a' });
    await one.close?.();
    await other.close?.();
  });

  it('lets one at a time have the lock, and says who has it', async () => {
    const open = await fresh();
    const [one, other] = [open(), open()];
    await withLock(one, 'apply', async () => {
      const failing = withLock(other, 'plan', async () => 'inside');
      await expect(failing).rejects.toMatchObject({ code: 'CONFLICT', executed: 'no' });
      await expect(failing).rejects.toThrow(/for apply since 20.*--break-lock [0-9a-f-]{36}/);
    });
    expect(await withLock(other, 'plan', async () => 'inside')).toBe('inside');
    await one.close?.();
    await other.close?.();
  });

  it('gives the lock back when the work fails', async () => {
    const backend = (await fresh())();
    await expect(withLock(backend, 'apply', () => Promise.reject(new Error('no network')))).rejects.toThrow(
      'no network',
    );
    expect(await withLock(backend, 'apply', async () => 1)).toBe(1);
    await backend.close?.();
  });

  it('gives it to one of twenty who come at once', async () => {
    const open = await fresh();
    let inside = 0;
    let most = 0;
    const attempts = Array.from({ length: 20 }, async () => {
      const backend = open();
      try {
        await withLock(backend, 'apply', async () => {
          inside += 1;
          most = Math.max(most, inside);
          await new Promise((resolve) => setTimeout(resolve, 20));
          inside -= 1;
        });
        return 'done';
      } catch {
        return 'refused';
      } finally {
        await backend.close?.();
      }
    });
    const ends = await Promise.all(attempts);
    expect(most).toBe(1);
    expect(ends).toContain('done');
  });

  it('can have its lock broken by who knows its id, and by nobody else', async () => {
    const open = await fresh();
    const [one, other] = [open(), open()];
    const lock = {
      id: 'lock-1',
      owner: 'someone@elsewhere',
      pid: 1,
      since: '2026-01-01T00:00:00Z',
      operation: 'apply',
    };
    expect(await one.tryLock(lock)).toBeUndefined();
    await other.unlock('another');
    expect(await other.tryLock({ ...lock, id: 'lock-2' })).toMatchObject({
      id: 'lock-1',
      owner: 'someone@elsewhere',
    });
    await other.unlock('lock-1');
    expect(await other.tryLock({ ...lock, id: 'lock-2' })).toBeUndefined();
    await one.close?.();
    await other.close?.();
  });

  it('overwrites nothing that another has written since', async () => {
    const open = await fresh();
    const [one, other] = [open(), open()];
    await readState(one);
    await readState(other);
    await writeState(one, { ...emptyState(), serial: 1, lineage: 'one' });
    await expect(writeState(other, { ...emptyState(), serial: 1, lineage: 'other' })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('was written by another since it was read'),
    });
    await readState(other);
    await writeState(other, { ...emptyState(), serial: 2, lineage: 'other' });
    await expect(writeState(one, { ...emptyState(), serial: 2, lineage: 'one' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await readState(one)).toMatchObject({ serial: 2, lineage: 'other' });
    await one.close?.();
    await other.close?.();
  });

  it.each([
    [
      'of another tool',
      '{"version": 3}',
      /is of version 3, and this jobferry reads version 4. It was not written by/,
    ],
    ['of a newer one', '{"version": 5}', /is of version 5, .* A newer jobferry wrote it: upgrade this one/],
    ['without a version', '{"serial": 1}', /says no version/],
    ['cut short', '{"version": 4, "ser', /JSON.* It was cut short or edited: .*backup/],
    ['empty', '', /JSON.* It was cut short or edited: .*backup/],
    [
      'without what it needs',
      '{"version": 4}',
      /serial is missing; lineage is missing; secret_key is missing\. /,
    ],
  ])('refuses a state %s, and says what to do', async (_, text, message) => {
    const backend = (await fresh())();
    await backend.write(text);
    await expect(readState(backend)).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringMatching(message),
    });
    await backend.close?.();
  });
}
