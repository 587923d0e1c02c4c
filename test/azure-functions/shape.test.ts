/** What holds for any settings, tags, times and replies. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Ground,
  isSameSite,
  settingsOf,
  siteOf,
  timeoutSecsOf,
} from '../../src/executors/azure-functions/app-shape.js';
import { type AppSpec, appSpec } from '../../src/executors/azure-functions/app-spec.js';
import { callError, controlError } from '../../src/executors/azure-functions/errors.js';
import { type AzureFunctionConfig, checkOptions } from '../../src/executors/azure-functions/options.js';
import { artifact } from './setup.js';

const settings = checkOptions({ subscriptionId: 's', location: 'westeurope' });
const ground: Ground = {
  location: 'westeurope',
  planId: '/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/serverfarms/p',
  connectionString: 'AccountName=a;AccountKey=k',
  containerUrl: 'https://a.blob.core.windows.net/job-1',
};
const spec = (config: Partial<AzureFunctionConfig>): AppSpec => appSpec(settings, 1, artifact, true, config);

const name = fc.stringMatching(/^[A-Z][A-Z0-9]{0,8}$/).filter((text) => !text.startsWith('SCM'));
const env = fc.dictionary(name, fc.string(), { maxKeys: 6 });
const label = fc.stringMatching(/^[a-z]{1,6}$/);
const labels = fc.dictionary(label, fc.stringMatching(/^\w{0,8}$/), { maxKeys: 6 });
const timeoutSecs = fc.integer({ min: 1, max: 230 });

describe('settings', () => {
  it('are what was asked for, whatever was asked for before', () => {
    fc.assert(
      fc.property(
        fc.array(env, { minLength: 1, maxLength: 4 }),
        env,
        timeoutSecs,
        (history, others, secs) => {
          const foreign = Object.fromEntries(
            Object.entries(others).map(([key, value]) => [`their_${key}`, value]),
          );
          let current: Readonly<Record<string, string>> = foreign;
          for (const variables of history)
            current = settingsOf(spec({ env: variables, timeoutSecs: secs }), ground, current);
          expect(current).toMatchObject(foreign);
          const last = history.at(-1) ?? {};
          const ours = Object.keys(current).filter((key) => /^[A-Z][A-Z0-9]*$/.test(key));
          expect(ours.sort()).toEqual(Object.keys(last).sort());
          expect(timeoutSecsOf(current)).toBe(secs);
          expect(settingsOf(spec({ env: last, timeoutSecs: secs }), ground, current)).toEqual(current);
        },
      ),
    );
  });
});

describe('a site', () => {
  it('that was written is the one asked for, and tags of others are on it still', () => {
    fc.assert(
      fc.property(labels, labels, labels, (first, second, theirs) => {
        const foreign = Object.fromEntries(
          Object.entries(theirs).map(([key, value]) => [`${key}-theirs`, value]),
        );
        const made = { ...siteOf(spec({ labels: first }), ground, undefined) };
        made.tags = { ...made.tags, ...foreign };
        const wanted = siteOf(spec({ labels: second }), ground, made);
        expect(isSameSite(siteOf(spec({ labels: second }), ground, wanted), wanted)).toBe(true);
        expect(wanted.tags).toMatchObject({ ...foreign, ...second });
        const gone = Object.keys(first).filter((key) => !(key in second));
        expect(gone.filter((key) => key in (wanted.tags ?? {}))).toEqual([]);
      }),
    );
  });

  it.each([
    { memoryMb: 2048 },
    { keepWarm: 1 },
    { maxConcurrency: 50 },
    { labels: { a: 'b' } },
    { secrets: { A: 'https://v.vault.azure.net/secrets/a' } },
    { azure: { runtime: { name: 'node', version: '24' } } },
    { azure: { perInstanceConcurrency: 4 } },
    { azure: { identity: '/subscriptions/s/id' } },
  ])('is another one with %j', (config) => {
    const current = siteOf(spec({}), ground, undefined);
    expect(isSameSite(siteOf(spec(config), ground, current), current)).toBe(false);
  });
});

describe('errors of any reply', () => {
  const place = { provider: 'azure-functions', functionName: 'app', origin: 'https://x' };
  const body = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constant('{"error":null}'),
    fc.constant('{"Code":1}'),
    fc.constant('[]'),
  );
  const reply = fc.record({
    status: fc.integer({ min: 300, max: 599 }),
    headers: fc.dictionary(fc.constantFrom('retry-after', 'x-ms-request-id'), fc.string()),
    body: body.map((text) => Buffer.from(text)),
  });

  it('are FaasErrors with a code, a status and words; nothing ran on the control plane', () => {
    fc.assert(
      fc.property(reply, fc.boolean(), (any, isPlain) => {
        const error = controlError(any, place, isPlain);
        expect(error).toMatchObject({ executed: 'no', status: any.status, functionName: 'app' });
        expect(error.message.length).toBeLessThan(700);
        expect(callError(any, place).executed).not.toBe('yes');
      }),
    );
  });
});
