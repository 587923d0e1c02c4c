/** Both ends of an HTTP entry: what the client writes, the entry reads, and the other way round. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { FaasError } from '../../src/core/errors.js';
import type { JobCall } from '../../src/core/job.js';
import { type EntryReply, httpEntry } from '../../src/executors/shared/entry/http-entry.js';
import { type CallRunner, jobsRunner } from '../../src/executors/shared/entry/runner.js';
import {
  entryHeaders,
  instanceOf,
  isFromEntry,
  readEntryReply,
  warmHeaders,
} from '../../src/executors/shared/entry-call.js';
import type { HttpReply } from '../../src/executors/shared/http.js';
import { callOf, failureOf } from '../aws-lambda/setup.js';

const PLACE = { provider: 'a-cloud', functionName: 'fn', origin: 'https://fn.example' };

/** A failure of `work` as a rejection. */
const attempt = async (work: () => unknown) => work();

const headersOf = (list: string[]) =>
  Object.fromEntries(list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]]] : [])));

const asHttp = ({ status, headers, body }: EntryReply): HttpReply => ({
  status,
  headers,
  body: Buffer.from(body.buffer, body.byteOffset, body.length),
});

function entryOf(run: CallRunner) {
  const entry = httpEntry(async () => run);
  return async (call: JobCall, deadline = Infinity) => {
    const headers = headersOf(entryHeaders(call, { deadline }, PLACE));
    return asHttp(await entry({ headers, body: call.args }));
  };
}

const echo: CallRunner = async ({ args, metadata }) => ({ result: args, metadata });

describe('an HTTP entry', () => {
  it('hands over bytes, ids, attempt and metadata as they are, and takes a result back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array(),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.dictionary(fc.string(), fc.string()),
        async (args, jobId, metadata) => {
          let seen: JobCall | undefined;
          const send = entryOf(async (call) => {
            seen = call;
            return echo(call);
          });
          const call = callOf(jobId, { args, metadata, attempt: 3 });
          const { result, metadata: back } = readEntryReply(await send(call), call, PLACE, 0);
          expect({ ...seen, args: [...(seen?.args ?? [])] }).toMatchObject({
            jobId,
            callId: call.callId,
            attempt: 3,
            args: [...args],
          });
          expect([...result]).toEqual([...args]);
          expect(Object.entries(back)).toEqual(expect.arrayContaining(Object.entries(metadata)));
        },
      ),
    );
  });

  it('tells the job what is left of the time, and the caller how long it ran', async () => {
    let deadline = 0;
    const send = entryOf(async (call) => {
      deadline = call.deadline;
      return echo(call);
    });
    const call = callOf(1);
    const { metrics } = readEntryReply(await send(call, Date.now() + 60_000), call, PLACE, performance.now());
    expect(deadline).toBeGreaterThan(Date.now() + 30_000);
    expect(metrics.executionMs).toBeGreaterThanOrEqual(0);
  });

  it('says which reply came from a new instance', async () => {
    const send = entryOf(echo);
    const call = callOf(1);
    const first = await send(call);
    const second = await send(call);
    expect(readEntryReply(first, call, PLACE, 0).metrics.coldStart).toBe(true);
    expect(readEntryReply(second, call, PLACE, 0).metrics.coldStart).toBe(false);
    expect(instanceOf(first)).toBe(instanceOf(second));
  });

  it('origin-defects 0.10: answers a warm ping without running a job', async () => {
    let runs = 0;
    const entry = httpEntry(async () => async (call) => {
      runs += 1;
      return echo(call);
    });
    const reply = asHttp(await entry({ headers: headersOf(warmHeaders(1)), body: new Uint8Array(0) }));
    expect({ status: reply.status, isEntry: isFromEntry(reply), runs }).toEqual({
      status: 200,
      isEntry: true,
      runs: 0,
    });
  });

  it('brings back what a handler threw, with name, message and stack', async () => {
    const failing = defineJob({
      id: 1,
      name: 'failing',
      handler: () => {
        throw new RangeError('too far');
      },
    });
    const call = callOf(1);
    const reply = await entryOf(jobsRunner([failing], 'a-cloud'))(call);
    const error = await failureOf(attempt(() => readEntryReply(reply, call, PLACE, 0)));
    expect(error).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      provider: 'a-cloud',
      functionName: 'fn',
      remote: { name: 'RangeError', message: 'too far', stack: expect.stringContaining('http-entry.test') },
    });
  });

  it.each([
    [
      'input that the job refuses',
      new FaasError({ code: 'INVALID_REQUEST', executed: 'no', message: 'no' }),
      400,
    ],
    ['a deadline that passed', new FaasError({ code: 'TIMEOUT', executed: 'yes', message: 'late' }), 500],
  ])('keeps code and `executed` of %s', async (_, thrown, status) => {
    const call = callOf(1);
    const reply = await entryOf(() => Promise.reject(thrown))(call);
    expect(reply.status).toBe(status);
    const error = await failureOf(attempt(() => readEntryReply(reply, call, PLACE, 0)));
    expect(error).toMatchObject({ code: thrown.code, executed: thrown.executed });
  });

  it('answers every call with the reason when its code cannot be loaded: nothing ran', async () => {
    const entry = httpEntry(async () => {
      throw new TypeError('no database url');
    });
    const call = callOf(1);
    const headers = headersOf(entryHeaders(call, { deadline: Infinity }, PLACE));
    for (let time = 0; time < 2; time++) {
      const reply = asHttp(await entry({ headers, body: call.args }));
      const error = await failureOf(attempt(() => readEntryReply(reply, call, PLACE, 0)));
      expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
      expect(error.message).toContain('TypeError: no database url');
    }
  });

  it('refuses what is no call of ours', async () => {
    const reply = asHttp(await httpEntry(async () => echo)({ headers: {}, body: new Uint8Array(0) }));
    expect([reply.status, isFromEntry(reply)]).toEqual([400, true]);
    expect(reply.body.toString()).toContain('x-faas-job-id');
  });

  it('is told apart from a gateway that answers in its place', () => {
    expect(isFromEntry({ status: 500, headers: {}, body: Buffer.from('{}') })).toBe(false);
  });
});

describe('a call that cannot be sent', () => {
  it.each([
    ['a call id with a line end', { callId: 'a\r\nb' }, 'INVALID_REQUEST'],
    ['metadata beyond what headers take', { metadata: { big: 'x'.repeat(9000) } }, 'PAYLOAD_TOO_LARGE'],
    ['a deadline in the past', { deadline: 1 }, 'TIMEOUT'],
  ])('is refused before anything ran: %s', async (_, changes, code) => {
    const failing = attempt(() => entryHeaders(callOf(1, changes), { deadline: Infinity }, PLACE));
    expect(await failureOf(failing)).toMatchObject({ code, executed: 'no' });
  });

  it('an answer for another job is no answer', async () => {
    const reply = await entryOf(echo)(callOf(2));
    const error = await failureOf(attempt(() => readEntryReply(reply, callOf(1), PLACE, 0)));
    expect(error).toMatchObject({ code: 'PROTOCOL', executed: 'maybe' });
  });
});
