/** The suite tells a broken platform apart from a correct one: one defect each, caught by name. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConformanceReport, runConformance } from '../../src/conformance/index.js';
import { DEFECTS } from './defects.js';
import { modelPlatform } from './platform/index.js';

function failedMust(report: ConformanceReport): string[] {
  return report.results
    .filter(({ level, outcome }) => level === 'MUST' && (outcome === 'fail' || outcome === 'could-not-run'))
    .map(({ id }) => id);
}

describe('the conformance suite', () => {
  it('finds nothing wrong with the correct platform, and leaves nothing on it', {
    timeout: 180_000,
  }, async () => {
    await using platform = await modelPlatform();
    const report = await runConformance({ url: platform.url });
    expect(failedMust(report)).toEqual([]);
    expect(report.conforms).toBe(true);
    expect(report.must.pass).toBeGreaterThan(300);
    expect(report.leftovers).toEqual([]);
    const { functions } = (await (await fetch(`${platform.url}/api/functions`)).json()) as { functions: [] };
    expect(functions).toEqual([]);
  });

  it('finds nothing wrong with a correct platform of 1.0: no feature, all marked as not offered', async () => {
    await using platform = await modelPlatform({
      features: [],
      before: ({ path }) =>
        path === '/api'
          ? { status: 404, body: { error: 'no such route', code: 'NOT_FOUND', details: {}, executed: 'no' } }
          : undefined,
    });
    const sections = ['discovery', 'invoke-json', 'context', 'binary', 'async', 'logs', 'head'];
    const report = await runConformance({ url: platform.url, sections });
    expect(failedMust(report)).toEqual([]);
    const offered = report.results.filter(({ outcome }) => outcome !== 'not-offered');
    expect(new Set(offered.map(({ section }) => section))).toEqual(new Set(['invoke-json']));
  });

  it('lets the correct platform with a key pass the cases about keys', async () => {
    await using platform = await modelPlatform({ key: 'the-key' });
    const headers = { authorization: 'Bearer the-key' };
    const report = await runConformance({ url: platform.url, headers, sections: ['auth'] });
    expect(report.must).toMatchObject({ pass: 7, fail: 0, couldNotRun: 0, notOffered: 0 });
  });
});

// Most of their time they sleep.
describe.concurrent('a broken platform is caught when it', () => {
  it('is one of at least 25', () => {
    expect(DEFECTS.length).toBeGreaterThanOrEqual(25);
    expect(new Set(DEFECTS.map(({ name }) => name)).size).toBe(DEFECTS.length);
  });

  it.each(DEFECTS)('$name', { timeout: 180_000 }, async ({ rules, section, caughtBy, key }) => {
    const home = await mkdtemp(join(tmpdir(), 'conformance-home-'));
    try {
      await using platform = await modelPlatform('home' in rules ? { ...rules, home } : rules);
      const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
      const report = await runConformance({ url: platform.url, headers, sections: [section] });
      expect(failedMust(report)).toEqual(expect.arrayContaining([...caughtBy]));
      expect(report.conforms).toBe(false);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });
});
