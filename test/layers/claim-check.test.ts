import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeClaim, encodeClaim, runClaimed } from '../../src/core/claim-calls.js';
import { callContext } from '../../src/core/scope.js';
import type { FaasInvoker, JobCall, JobResult } from '../../src/index.js';
import { claimCheck } from '../../src/layers/index.js';
import { FolderStore, type ObjectStore } from '../../src/objects/index.js';
import { callOf, errorOf, failure, invoker } from './invokers.js';

const LIMIT = 100;
let folder: string;
let store: FolderStore;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-claims-'));
  store = new FolderStore(folder);
});
afterAll(() => rm(folder, { recursive: true }));

/** A function as the clouds run it: an entry that resolves claims around a job, and a limit on the wire. */
function cloud(
  job: (args: Uint8Array, call: JobCall) => Uint8Array,
  opened: ObjectStore = store,
): FaasInvoker & { seen: JobCall[] } {
  const seen: JobCall[] = [];
  const limits = { maxPayloadBytes: LIMIT + 200, asOf: '2026-11-21', source: 'this test' };
  const executor = invoker(
    async (call): Promise<JobResult> => {
      seen.push(call);
      const { result, metadata } = await runClaimed(
        call,
        async () => opened,
        async (plain) => ({
          result: job(plain.args, plain),
          metadata: plain.metadata,
        }),
      );
      expect(Math.max(call.args.length, result.length)).toBeLessThanOrEqual(LIMIT + 200);
      return { result, metadata: { ...call.metadata, ...metadata }, metrics: { totalMs: 1 } };
    },
    { limits },
  );
  return Object.assign(executor, { seen });
}

const checked = (inner: FaasInvoker, aboveBytes = LIMIT) => claimCheck({ store, aboveBytes })(inner);
const reverse = (args: Uint8Array) => Uint8Array.from(args).reverse();

describe('claimCheck', () => {
  it('lets bytes through in both directions, whatever their size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3 * LIMIT }), async (args) => {
        const { result } = await checked(cloud(reverse)).invoke(callOf({ args }), callContext());
        expect(Buffer.from(result).equals(reverse(args))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('stores only what is above the limit', async () => {
    const small = cloud(reverse);
    await checked(small).invoke(callOf({ args: new Uint8Array(LIMIT) }), callContext());
    expect(small.seen[0]?.args).toHaveLength(LIMIT);
    const args = randomBytes(LIMIT + 1);
    const large = cloud(() => new Uint8Array(0));
    await checked(large).invoke(callOf({ args }), callContext());
    const claim = decodeClaim((large.seen[0] as JobCall).args, 'args');
    expect(claim).toEqual({
      claim: createHash('sha256').update(args).digest('hex'),
      bytes: LIMIT + 1,
      sha256: createHash('sha256').update(args).digest('hex'),
    });
  });

  it('leaves no trace for the job or the caller', async () => {
    let seen: JobCall | undefined;
    const inner = cloud((args, call) => {
      seen = call;
      return args;
    });
    const call = callOf({ args: new Uint8Array(5 * LIMIT), metadata: { trace: 'abc' }, attempt: 3 });
    const result = await checked(inner).invoke(call, callContext());
    expect(seen).toMatchObject({ metadata: { trace: 'abc' }, attempt: 3, callId: call.callId });
    expect(result.metadata).toEqual({ trace: 'abc' });
    expect(call.metadata).toEqual({ trace: 'abc' });
  });

  it('takes the limits of the executor when told nothing, and states none itself', () => {
    const inner = cloud(reverse);
    const outer = claimCheck({ store })(inner);
    expect(outer.limits.maxPayloadBytes).toBeUndefined();
    expect(outer.provider).toBe(inner.provider);
    expect(() => claimCheck({ store })(invoker(() => ({}) as JobResult))).toThrow(/aboveBytes/);
  });

  it('a store that fails before the call: it was not executed', async () => {
    const broken = new Unwritable(folder);
    const inner = cloud(reverse);
    const outer = claimCheck({ store: broken, aboveBytes: LIMIT })(inner);
    const error = await errorOf(outer.invoke(callOf({ args: randomBytes(2 * LIMIT) }), callContext()));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', executed: 'no', provider: 'fake' });
    expect(inner.seen).toHaveLength(0);
  });

  it('args that are gone when the function looks: it was not executed', async () => {
    const empty = new FolderStore(join(folder, 'another'));
    const error = await errorOf(
      checked(cloud(reverse, empty)).invoke(callOf({ args: randomBytes(2 * LIMIT) }), callContext()),
    );
    expect(error).toMatchObject({ code: 'NOT_FOUND', executed: 'no' });
  });

  it('a result that the function cannot store, or the caller cannot fetch: it was executed', async () => {
    const call = callOf({ args: new Uint8Array(1) });
    const large = () => randomBytes(2 * LIMIT);
    const broken = new Unwritable(folder);
    const unstored = await errorOf(checked(cloud(large, broken)).invoke(call, callContext()));
    expect(unstored).toMatchObject({ code: 'UNAVAILABLE', executed: 'yes' });
    const elsewhere = new FolderStore(join(folder, 'elsewhere'));
    const unfetched = await errorOf(checked(cloud(large, elsewhere)).invoke(call, callContext()));
    expect(unfetched).toMatchObject({ code: 'NOT_FOUND', executed: 'yes' });
  });

  it('a claim that is none is PROTOCOL, and is looked up nowhere', () => {
    const forged = [
      { claim: '../../etc/passwd', bytes: 1, sha256: 'a'.repeat(64) },
      { claim: 'a'.repeat(64), bytes: -1, sha256: 'a'.repeat(64) },
      { claim: 'a'.repeat(64), bytes: 1, sha256: 'A' },
      null,
      [],
    ];
    for (const value of forged) {
      expect(() => decodeClaim(Buffer.from(JSON.stringify(value)), 'The input')).toThrow(/marked as a claim/);
    }
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(() => decodeClaim(bytes, 'The input')).toThrow(/marked as a claim/);
      }),
    );
    const claim = { claim: 'a'.repeat(64), bytes: 7, sha256: 'b'.repeat(64) };
    expect(decodeClaim(encodeClaim(claim), 'x')).toEqual(claim);
  });

  it('a call without marks never opens the store', async () => {
    const call = callOf({ args: Uint8Array.of(1) });
    const answer = await runClaimed(
      call,
      () => Promise.reject(new Error('opened')),
      async (plain) => ({
        result: plain.args,
        metadata: {},
      }),
    );
    expect(answer.result).toEqual(Uint8Array.of(1));
  });
});

class Unwritable extends FolderStore {
  override put(): Promise<never> {
    return Promise.reject(failure('UNAVAILABLE', 'no'));
  }
}
