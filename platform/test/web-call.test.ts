import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  endToEnd,
  headerOf,
  replyMetadata,
  replyOf,
  requestMetadata,
  requestOf,
} from '../src/domain/web-call.js';
import { variableOf } from '../src/runtimes/web-launch.js';

const headers = fc
  .array(fc.tuple(fc.stringMatching(/^[A-Za-z][A-Za-z-]{0,10}$/), fc.string({ maxLength: 10 })), {
    maxLength: 8,
  })
  .map((pairs) => pairs.flat());
const bytes = fc.uint8Array({ maxLength: 100 });

describe('an HTTP request as a call', () => {
  it('comes back as it was, and so does its answer', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        headers,
        bytes,
        fc.integer({ min: 200, max: 599 }),
        (path, query, raw, body, status) => {
          const request = { method: 'PUT', path, query, headers: raw, body };
          const call = { jobId: 0, args: body, callId: 'c', attempt: 1, metadata: requestMetadata(request) };
          expect(requestOf(call)).toEqual(request);
          const reply = { status, headers: raw, body };
          expect(replyOf({ metadata: replyMetadata(reply), result: body })).toEqual(reply);
        },
      ),
    );
  });

  it('loses what belongs to one connection, and what Connection names', () => {
    const raw = [
      'Connection',
      'close, X-Hop',
      'X-Hop',
      '1',
      'keep-alive',
      'x',
      'X-Kept',
      'a',
      'x-kept',
      'b',
      'TE',
      't',
    ];
    expect(endToEnd(raw)).toEqual(['X-Kept', 'a', 'x-kept', 'b']);
    expect(endToEnd(raw, ['x-kept'])).toEqual([]);
    expect(headerOf(raw, 'x-kept')).toBe('a');
  });
});

describe('the variable of a secret', () => {
  it.each([
    ['db-password', 'DB_PASSWORD'],
    ['a.b', 'A_B'],
    ['1st', '_1ST'],
  ])('%s is %s', (secret, variable) => {
    expect(variableOf(secret)).toBe(variable);
  });
});
