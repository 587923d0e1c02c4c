import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { PlatformError } from '../src/domain/errors.js';
import { resolveLimits } from '../src/domain/limits.js';
import { type CallOutcome, decodeOutcome, encodeOutcome } from '../src/domain/outcome.js';
import { isTerminal, type TerminalStatus } from '../src/queue/invocation.js';
import { type InvocationStore, invocationStoreOn } from '../src/queue/invocation-store.js';
import { keptOutcomesOn } from '../src/queue/kept-outcomes.js';
import { Storage } from '../src/queue/storage.js';
import { openDatabase, storedBytesIn } from '../src/store/database.js';
import { GroupCommit } from '../src/store/group-commit.js';
import { tempFolder } from './support/platform.js';

const stored = encodeOutcome({
  ok: true,
  reply: { result: Buffer.from([1]), executionMs: 1, coldStart: true },
});

function insert(store: InvocationStore, id: string, functionId = 'f', key?: string): void {
  store.insert({
    invocationId: id,
    functionId,
    jobId: 1,
    content: 'hash',
    idempotencyKey: key,
    metadata: {},
    firstAttempt: 1,
    args: Buffer.from([1, 2]),
    deadlineMs: undefined,
    createdAtMs: 1,
  });
}

/** What a history of one invocation should look like, without a database. */
interface Model {
  status: string;
  attempts: number;
  lease: string | undefined;
}

type Step =
  | { readonly do: 'claim'; readonly lease: string }
  | { readonly do: 'finish'; readonly lease: string | undefined; readonly status: TerminalStatus }
  | { readonly do: 'release'; readonly lease: string }
  | { readonly do: 'crash' };

const lease = fc.constantFrom('l1', 'l2', 'l3');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('claim' as const), lease }),
  fc.record({
    do: fc.constant('finish' as const),
    lease: fc.option(lease, { nil: undefined }),
    status: fc.constantFrom<TerminalStatus>('completed', 'failed', 'timeout', 'cancelled'),
  }),
  fc.record({ do: fc.constant('release' as const), lease }),
  fc.record({ do: fc.constant('crash' as const) }),
);

describe('the record of an invocation', () => {
  it('follows its state machine through any history: one terminal state, only under the lease of the run', async () => {
    const database = openDatabase(join(await tempFolder(), 'records.sqlite'));
    const store = invocationStoreOn(database);
    let count = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const id = `call-${count++}`;
        insert(store, id);
        const model: Model = { status: 'pending', attempts: 0, lease: undefined };
        for (const one of steps) {
          const wasEnded = isTerminal(model.status as TerminalStatus);
          switch (one.do) {
            case 'claim': {
              const isFree = model.status === 'pending';
              expect(store.claim(id, one.lease, 2)).toBe(isFree);
              if (isFree)
                Object.assign(model, { status: 'running', lease: one.lease, attempts: model.attempts + 1 });
              break;
            }
            case 'finish': {
              const may =
                one.lease === undefined
                  ? model.status === 'pending'
                  : model.status === 'running' && model.lease === one.lease;
              expect(store.finish(id, one.lease, { ...stored, status: one.status, nowMs: 3 })).toBe(may);
              if (may) Object.assign(model, { status: one.status, lease: undefined });
              break;
            }
            case 'release': {
              const may = model.status === 'running' && model.lease === one.lease;
              expect(store.release(id, one.lease)).toBe(may);
              if (may)
                Object.assign(model, { status: 'pending', lease: undefined, attempts: model.attempts - 1 });
              break;
            }
            case 'crash':
              store.recover(3, stored, 4);
              if (model.status === 'running')
                Object.assign(model, { status: model.attempts >= 3 ? 'dead' : 'pending', lease: undefined });
              break;
          }
          const record = store.get(id);
          expect([record?.status, record?.attempts]).toEqual([model.status, model.attempts]);
          // The args are needed until the end and not a moment longer.
          expect(store.input(id) !== undefined).toBe(!isTerminal(model.status as TerminalStatus));
          if (wasEnded) expect(isTerminal(model.status as TerminalStatus)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
    database.close();
  });

  it('is there over a restart, with its args, in the order of arrival', async () => {
    const file = join(await tempFolder(), 'records.sqlite');
    const first = openDatabase(file);
    for (const id of ['b', 'a', 'c']) insert(invocationStoreOn(first), id);
    first.close();
    const second = openDatabase(file);
    const store = invocationStoreOn(second);
    expect(store.pending().map(({ invocationId }) => invocationId)).toEqual(['b', 'a', 'c']);
    expect([...(store.input('a')?.args ?? [])]).toEqual([1, 2]);
    expect(() => insert(store, 'a')).toThrow(/UNIQUE/);
    second.close();
  });

  it('is deleted with its bytes when its time is over, but never before its end', async () => {
    const database = openDatabase(join(await tempFolder(), 'records.sqlite'));
    const store = invocationStoreOn(database);
    insert(store, 'open');
    insert(store, 'ended', 'f', 'key');
    store.claim('ended', 'l', 1);
    store.finish('ended', 'l', { ...stored, status: 'completed', nowMs: 100 });
    expect(store.findByKey('f', 'key')?.invocationId).toBe('ended');
    const storedBytes = storedBytesIn(database);
    const before = storedBytes();
    expect([store.deleteFinishedBefore(100), store.deleteFinishedBefore(101)]).toEqual([0, 1]);
    expect([store.get('ended'), store.get('open')?.status]).toEqual([undefined, 'pending']);
    expect(storedBytes()).toBeLessThan(before);
    database.close();
  });
});

describe('the bytes that are stored', () => {
  /** As they are, counted the long way. */
  const realBytes = (database: DatabaseSync): number =>
    Number(
      database
        .prepare(
          `SELECT (SELECT COALESCE(SUM(length(context) + COALESCE(length(args), 0) +
             COALESCE(length(CAST(outcome AS BLOB)), 0) + COALESCE(length(result), 0) + 512), 0) FROM invocations) +
           (SELECT COALESCE(SUM(length(CAST(outcome AS BLOB)) + length(result) + 512), 0) FROM kept_outcomes) AS bytes`,
        )
        .get()?.['bytes'],
    );

  it('are counted as they change, metadata and the place of a row included, also after a restart', async () => {
    const file = join(await tempFolder(), 'records.sqlite');
    const first = openDatabase(file);
    const store = invocationStoreOn(first);
    const kept = keptOutcomesOn(first);
    const metadata = { pad: 'p'.repeat(12_000) };
    const one = { functionId: 'f', jobId: 1, content: 'hash', idempotencyKey: undefined, metadata };
    for (let n = 0; n < 10; n++) {
      const args = Buffer.alloc(n * 100);
      store.insert({
        ...one,
        invocationId: `c${n}`,
        firstAttempt: 1,
        args,
        deadlineMs: undefined,
        createdAtMs: 1,
      });
    }
    const counted = storedBytesIn(first);
    expect(counted()).toBe(realBytes(first));
    for (let n = 0; n < 5; n++) {
      store.claim(`c${n}`, 'l', 1);
      store.finish(`c${n}`, 'l', { ...stored, status: 'completed', nowMs: n });
      kept.put('f', 'the same key', 'hash', stored, n);
    }
    expect(counted()).toBe(realBytes(first));
    // What a call was asked with is not kept once it has ended.
    expect(counted()).toBeLessThan(5 * 13_000 + 6 * 1000);
    expect(store.deleteFinishedBefore(3)).toBe(3);
    expect(counted()).toBe(realBytes(first));
    const before = counted();
    first.close();
    const second = openDatabase(file);
    expect(storedBytesIn(second)()).toBe(before);
    second.close();
  });

  it('of a file of an earlier version are counted when it is opened', async () => {
    const file = join(await tempFolder(), 'records.sqlite');
    const old = openDatabase(file);
    const store = invocationStoreOn(old);
    insert(store, 'ended');
    store.finish('ended', undefined, { ...stored, status: 'cancelled', nowMs: 1 });
    old.exec(`
      DROP TABLE stored_bytes; DROP INDEX invocations_by_status; PRAGMA user_version = 3;
      CREATE INDEX invocations_open ON invocations (seq) WHERE finished_ms IS NULL;`);
    for (const table of ['invocations', 'kept_outcomes'])
      for (const change of ['added', 'changed', 'removed']) old.exec(`DROP TRIGGER ${table}_${change}`);
    old.exec(`DROP INDEX invocations_by_call; ALTER TABLE invocations DROP COLUMN call_id;
      UPDATE invocations SET context = '{"metadata":{}}'`);
    old.close();
    const renewed = openDatabase(file);
    expect(storedBytesIn(renewed)()).toBe(realBytes(renewed));
    expect(invocationStoreOn(renewed).get('ended')?.status).toBe('cancelled');
    renewed.close();
  });
});

describe('a list of invocations', () => {
  it.each([
    [{ status: 'pending' }, 'invocations_by_status'],
    [{ functionId: 'f' }, 'invocations_by_function'],
    [{ functionId: 'f', status: 'pending' }, 'invocations_by_'],
  ] as const)('by %j uses an index', async (filter, index) => {
    const database = openDatabase(join(await tempFolder(), 'records.sqlite'));
    const store = invocationStoreOn(database);
    insert(store, 'a');
    insert(store, 'b', 'g');
    store.claim('b', 'l', 1);
    const statements: string[] = [];
    const prepare = database.prepare.bind(database);
    database.prepare = (sql) => {
      statements.push(sql);
      return prepare(sql);
    };
    expect(store.list({ ...filter, limit: 10 }).invocations.map(({ invocationId }) => invocationId)).toEqual([
      'a',
    ]);
    const plan = prepare(`EXPLAIN QUERY PLAN ${statements[0]}`).all({ after: 0, limit: 1, ...named(filter) });
    expect(String(plan[0]?.['detail'])).toContain(`USING INDEX ${index}`);
    database.close();
  });

  const named = ({ functionId, status }: { functionId?: string; status?: string }) => ({
    ...(functionId && { function_id: functionId }),
    ...(status && { status }),
  });
});

describe('an outcome', () => {
  it('is told again word for word', () => {
    const text = fc.string({ unit: 'binary' });
    const outcome: fc.Arbitrary<CallOutcome> = fc.oneof(
      fc
        .record(
          {
            result: fc.uint8Array(),
            executionMs: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
            coldStart: fc.boolean(),
            peakMemoryBytes: fc.nat(),
            metadata: fc.dictionary(text, text, { noNullPrototype: true }),
          },
          { requiredKeys: ['result', 'executionMs', 'coldStart'] },
        )
        .map((reply) => ({ ok: true as const, reply })),
      fc.record({ message: text, name: text }).map(({ message, name }) => ({
        ok: false as const,
        error: new PlatformError('FUNCTION_ERROR', message, {
          executed: 'yes',
          details: { name },
          result: Buffer.from(name),
        }),
      })),
    );
    fc.assert(
      fc.property(outcome, (one) => {
        const again = decodeOutcome(encodeOutcome(one));
        if (one.ok && again.ok) expect(again.reply).toEqual(one.reply);
        else if (!one.ok && !again.ok) {
          expect(again.error.message).toBe(one.error.message);
          expect([again.error.code, again.error.executed]).toEqual([one.error.code, one.error.executed]);
          expect(again.error.details).toEqual(one.error.details);
          expect(again.error.result).toEqual(one.error.result);
        } else expect.unreachable('the kind of the outcome changed');
      }),
    );
  });

  it('is kept under its key for its time', async () => {
    const database = openDatabase(join(await tempFolder(), 'records.sqlite'));
    const kept = keptOutcomesOn(database);
    kept.put('f', 'k', 'hash', stored, 1000);
    expect(kept.get('f', 'k', 1000)?.content).toBe('hash');
    expect(kept.get('f', 'k', 1001)).toBeUndefined();
    expect(kept.get('g', 'k', 0)).toBeUndefined();
    expect(kept.deleteFinishedBefore(1001)).toBe(1);
    expect(storedBytesIn(database)()).toBe(0);
    database.close();
  });
});

describe('a group of writes', () => {
  it('shares one transaction, and one that fails does not take the others with it', async () => {
    const file = join(await tempFolder(), 'records.sqlite');
    const database = openDatabase(file);
    const store = invocationStoreOn(database);
    const disk = new GroupCommit(database);
    const results = await Promise.allSettled([
      disk.commit(() => insert(store, 'a')),
      disk.commit(() => insert(store, 'a')),
      disk.commit(() => {
        throw new Error('of its own');
      }),
      disk.commit(() => insert(store, 'b')),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(store.pending().map(({ invocationId }) => invocationId)).toEqual(['a', 'b']);
    database.close();
  });

  it('fails as a whole when it cannot be committed', async () => {
    const database = openDatabase(join(await tempFolder(), 'records.sqlite'));
    const store = invocationStoreOn(database);
    const disk = new GroupCommit(database);
    const first = disk.commit(() => insert(store, 'a'));
    const second = disk.commit(() => database.exec('ROLLBACK'));
    await expect(first).rejects.toThrow();
    await expect(second).rejects.toThrow();
    expect(store.pending()).toEqual([]);
    await disk.commit(() => insert(store, 'b'));
    expect(store.pending()).toHaveLength(1);
    database.close();
  });
});

describe('the sweep', () => {
  it('deletes what is past its time, and makes room by it', async () => {
    const database = openDatabase(join(await tempFolder(), 'records.sqlite'));
    const invocations = invocationStoreOn(database);
    const kept = keptOutcomesOn(database);
    const disk = new GroupCommit(database);
    const limits = { ...resolveLimits(), invocationRetentionSecs: 600, maxStoredBytes: 1 };
    for (const [id, agoSecs] of [
      ['old', 601],
      ['young', 301],
    ] as const) {
      insert(invocations, id);
      invocations.claim(id, 'l', 1);
      invocations.finish(id, 'l', { ...stored, status: 'completed', nowMs: Date.now() - agoSecs * 1000 });
      kept.put('f', id, 'hash', stored, Date.now() - agoSecs * 1000);
    }
    insert(invocations, 'open');
    const storage = new Storage({
      invocations,
      kept,
      disk,
      storedBytes: storedBytesIn(database),
      limits,
      log: () => {},
    });
    expect(() => storage.requireRoom()).toThrow('hold their limit of 1 bytes');
    await storage.sweep();
    expect(['old', 'young', 'open'].map((id) => invocations.get(id)?.status)).toEqual([
      undefined,
      'completed',
      'pending',
    ]);
    expect(['old', 'young'].map((key) => kept.get('f', key, 0))).toEqual([undefined, undefined]);
    invocations.finish('open', undefined, { ...stored, status: 'cancelled', nowMs: 0 });
    invocations.deleteFinishedBefore(Date.now());
    await storage.sweep();
    expect(() => storage.requireRoom()).not.toThrow();
    storage.close();
    database.close();
  });
});
