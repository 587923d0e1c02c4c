import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { bench, callOf, executorFor, failureOf } from './setup.js';

const jobs = [1, 2].map((id) =>
  defineJob({ id, name: `echo-${id}`, codec: 'bytes', handler: (input: Uint8Array) => input }),
);

type Bench = Awaited<ReturnType<typeof bench>>;

describe('logs', () => {
  it('come out of Application Insights, oldest first, cut to the newest', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const calls = [callOf(1), callOf(1), callOf(1)];
    for (const call of calls) await it.executor.invoke(call, callContext());
    const lines: string[] = [];
    for await (const { message } of it.executor.logs(1, { tail: 2 })) lines.push(message);
    expect(lines).toEqual(calls.slice(1).map(({ callId }) => `ran ${callId}`));
    const [query] = it.fake.exchanges.filter(({ operation }) => operation === 'POST query');
    expect(query?.body.toString()).toContain(`cloud_RoleName =~ '${it.site(1).name}'`);
    expect(it.site(1).settings['APPLICATIONINSIGHTS_CONNECTION_STRING']).toBeDefined();
    expect(it.fake.tokenRequests).toContain('https://api.applicationinsights.io/.default');
    const one: string[] = [];
    const { callId = '' } = calls[0] ?? {};
    for await (const { message } of it.executor.logs(1, { callId })) one.push(message);
    expect(one).toEqual([`ran ${callId}`]);
  });

  const numbered = (it: Bench, numbers: readonly number[]) => {
    for (const n of numbers) {
      const time = new Date(Date.now() - 60_000 + n).toISOString();
      it.fake.logLines.push({ app: '', time, message: String(n) });
    }
  };

  it.each([
    [2, ['6', '7', '8', '9']],
    [0, ['8', '9']],
    [undefined, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']],
  ])('followed with a tail of %s give what was asked for, and then what comes', async (tail, wanted) => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    numbered(it, [0, 1, 2, 3, 4, 5, 6, 7]);
    const stop = new AbortController();
    const lines: string[] = [];
    const reading = (async () => {
      const following = { follow: true, signal: stop.signal, ...(tail !== undefined && { tail }) };
      for await (const { message } of it.executor.logs(1, following)) {
        lines.push(message);
        if (message === '9') stop.abort();
      }
    })();
    while (it.fake.operations.filter((one) => one === 'POST query').length < 3)
      await new Promise((resolve) => setTimeout(resolve, 5));
    numbered(it, [8, 9]);
    await reading;
    expect(lines).toEqual(wanted);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  it('are not asked for with a tail of nothing', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    numbered(it, [0, 1]);
    for await (const line of it.executor.logs(1, { tail: 0 })) expect(line).toBeUndefined();
  });

  it('of more than a page are all there', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const all = Array.from({ length: 2345 }, (_, n) => n);
    numbered(it, all);
    const read = async (options = {}) => {
      const lines: number[] = [];
      for await (const { message } of it.executor.logs(1, options)) lines.push(Number(message));
      return lines;
    };
    expect(await read()).toEqual(all);
    expect(await read({ tail: 1500 })).toEqual(all.slice(-1500));
  });

  it('without a place to log to are UNSUPPORTED, with the option’s name', async () => {
    await using it = await bench({ jobs });
    const bare = executorFor(it.fake, { applicationInsights: 'InstrumentationKey=1' });
    const reading = (async () => {
      for await (const _ of bare.logs(1));
    })();
    const error = await failureOf(reading);
    expect(error).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
    expect(error.message).toContain('`applicationInsights`');
  });
});
