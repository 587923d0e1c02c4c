import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEvent,
  decodeReply,
  encodeEvent,
  successReply,
} from '../../src/executors/shared/entry/event.js';
import { callOf, failureOf } from '../aws-lambda/setup.js';

describe('the wire of a call', () => {
  it.each(['base64', 'number-array'] as const)('carries any call there, as %s', (encoding) => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        fc.string(),
        fc.dictionary(fc.string(), fc.string()),
        (args, jobId, callId, metadata) => {
          const call = callOf(jobId, { args, callId, metadata, attempt: 3 });
          const event: unknown = JSON.parse(encodeEvent(call, 1_800_000_000_000, encoding).toString('utf8'));
          const { deadline, ...decoded } = decodeEvent(event);
          expect(deadline).toBe(1_800_000_000_000);
          expect({ ...decoded, metadata: { ...decoded.metadata } }).toEqual({
            jobId,
            args,
            callId,
            attempt: 3,
            idempotent: false,
            metadata: { ...metadata },
          });
        },
      ),
    );
  });

  it('what is left counts before a point in time, which is by the clock of the caller', () => {
    const read = (deadline: number, timeoutMs?: number) =>
      decodeEvent(JSON.parse(encodeEvent(callOf(1), deadline, 'base64', timeoutMs).toString('utf8')));
    expect(read(1000, 5000).deadline).toBeGreaterThan(Date.now() + 4000);
    expect(read(1000).deadline).toBe(1000);
    expect(read(Infinity).deadline).toBe(Infinity);
  });

  it('carries any result back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.dictionary(fc.string(), fc.string()), (result, metadata) => {
        const reply = decodeReply(Buffer.from(JSON.stringify(successReply(result, metadata))));
        expect(reply.kind === 'result' && reply.result).toEqual(result);
      }),
    );
  });

  it('understands results as arrays of integers too', () => {
    expect(decodeReply(Buffer.from('{"result":[0,255]}'))).toMatchObject({
      kind: 'result',
      result: Uint8Array.of(0, 255),
    });
  });

  it('a function that returns nothing gives no bytes', () => {
    for (const body of ['', 'null'])
      expect(decodeReply(Buffer.from(body))).toMatchObject({ kind: 'result', result: new Uint8Array(0) });
  });

  it.each([
    '7',
    '[]',
    '"x"',
    '{}',
    '{"result":[256]}',
    '{"result_base64":"a"}',
    '{"result_base64":"ab!="}',
    'no json',
  ])('calls %s nonsense', (body) => {
    expect(decodeReply(Buffer.from(body)).kind).toBe('nonsense');
  });

  it('refuses an event that names no job, or one that is out of range (origin-defects 0.19)', async () => {
    for (const jobId of [-1, 1.5, 2 ** 32, 2 ** 32 + 1, '7', null]) {
      const error = await failureOf((async () => decodeEvent({ job_id: jobId, args_base64: '' }))());
      expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    }
    const error = await failureOf((async () => decodeEvent({ job_id: 1, args: 'text' }))());
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
  });
});
