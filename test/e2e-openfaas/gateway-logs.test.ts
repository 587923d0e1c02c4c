import { describe, expect, it } from 'vitest';
import { failureOf, gatewayBench } from './setup.js';

const NAME = 'jobferry-job-1';
const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`;

async function logBench() {
  const it = await gatewayBench();
  await it.deploy(1);
  const say = (second: number, text: string) =>
    it.fake.logLines.push({ name: NAME, timestamp: at(second), text });
  return { ...it, say };
}

async function messages(entries: AsyncIterable<{ readonly message: string }>): Promise<string[]> {
  const all: string[] = [];
  for await (const { message } of entries) all.push(message);
  return all;
}

describe('logs of a gateway', () => {
  it('are lines of JSON, of whatever content type', async () => {
    await using it = await logBench();
    it.say(1, 'Forking fprocess.');
    it.say(2, 'zwölf');
    const entries = [];
    for await (const entry of it.executor.logs(1)) entries.push(entry);
    expect(entries).toEqual([
      { time: new Date(at(1)), message: 'Forking fprocess.' },
      { time: new Date(at(2)), message: 'zwölf' },
    ]);
  });

  it('can begin at a time, be cut to the newest, and be of one call', async () => {
    await using it = await logBench();
    for (const second of [1, 2, 3]) it.say(second, `line ${second} of call-${second}`);
    expect(await messages(it.executor.logs(1, { since: new Date(at(2)) }))).toHaveLength(2);
    expect(await messages(it.executor.logs(1, { tail: 1 }))).toEqual(['line 3 of call-3']);
    expect(await messages(it.executor.logs(1, { callId: 'call-2' }))).toEqual(['line 2 of call-2']);
  });

  it('are followed over the cuts of the gateway, without a line twice or lost', async () => {
    await using it = await logBench();
    it.say(1, 'same');
    it.say(1, 'same');
    const follower = new AbortController();
    const seen: string[] = [];
    let said = 1;
    for await (const { message } of it.executor.logs(1, { follow: true, signal: follower.signal })) {
      seen.push(message);
      // The fake cuts a follower off after 200 ms: some of these come to a later connection.
      if (seen.length === said + 1 && said < 5) setTimeout(() => it.say(1 + said, `line ${said++}`), 150);
      if (seen.length === 6) follower.abort();
    }
    expect(seen).toEqual(['same', 'same', 'line 1', 'line 2', 'line 3', 'line 4']);
    expect(it.fake.operations.filter((one) => one === 'GET logs').length).toBeGreaterThan(1);
  });

  it('of a function that is not there are NOT_FOUND, and a refusal is told', async () => {
    await using it = await logBench();
    expect(await failureOf(messages(it.executor.logs(2)))).toMatchObject({
      code: 'NOT_FOUND',
      executed: 'no',
    });
    it.fake.fault('GET logs', { status: 500, body: 'unknown log request error (422)\n' });
    const error = await failureOf(messages(it.executor.logs(1)));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', executed: 'no' });
    expect(error.message).toContain('unknown log request error (422)');
  });
});
