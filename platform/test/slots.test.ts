import { describe, expect, it } from 'vitest';

import { type SlotRequest, Slots } from '../src/pool/slots.js';

function ask(functionId: string, changes: Partial<SlotRequest> = {}): SlotRequest {
  return {
    functionId,
    maxConcurrency: 10,
    patienceMs: undefined,
    signal: new AbortController().signal,
    ...changes,
  };
}

/** Which of the promises are settled after everything that can happen now has happened. */
async function order(slots: Slots, requests: readonly SlotRequest[]): Promise<string[]> {
  const granted: string[] = [];
  for (const request of requests) slots.acquire(request).then(() => granted.push(request.functionId));
  await new Promise(setImmediate);
  return granted;
}

describe('slots', () => {
  it('run at most the total, and grant the rest in the order of arrival', async () => {
    const slots = new Slots(1, 10);
    const granted = await order(slots, [ask('a'), ask('b'), ask('c')]);
    expect(granted).toEqual(['a']);
    slots.release('a');
    await new Promise(setImmediate);
    expect(granted).toEqual(['a', 'b']);
    expect([slots.running, slots.waiting]).toEqual([1, 1]);
  });

  it('let a function pass another that is at its own limit', async () => {
    const slots = new Slots(3, 10);
    const granted = await order(slots, [
      ask('a', { maxConcurrency: 1 }),
      ask('a', { maxConcurrency: 1 }),
      ask('b'),
    ]);
    expect(granted).toEqual(['a', 'b']);
  });

  it('refuse with THROTTLED when the line is full', async () => {
    const slots = new Slots(1, 1);
    await order(slots, [ask('a'), ask('b')]);
    await expect(slots.acquire(ask('c'))).rejects.toMatchObject({
      code: 'THROTTLED',
      executed: 'no',
      retryAfterSecs: 1,
    });
  });

  it('end the wait with TIMEOUT, executed "no", when patience ends', async () => {
    const slots = new Slots(1, 1);
    await slots.acquire(ask('a'));
    await expect(slots.acquire(ask('b', { patienceMs: 10 }))).rejects.toMatchObject({
      code: 'TIMEOUT',
      executed: 'no',
    });
    expect(slots.waiting).toBe(0);
  });

  it('never lose a slot to somebody who left in the same turn', async () => {
    const slots = new Slots(1, 5);
    await slots.acquire(ask('a'));
    const leaver = new AbortController();
    const left = slots.acquire(ask('b', { signal: leaver.signal }));
    const stayed = slots.acquire(ask('c'));
    leaver.abort(new Error('gone'));
    slots.release('a');
    await expect(left).rejects.toThrow('gone');
    await stayed;
    expect(slots.running).toBe(1);
    slots.release('c');
    expect(slots.running).toBe(0);
  });
});
