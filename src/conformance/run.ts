/** runConformance: all cases against one platform, and everything removed behind them. */
import { FaasError } from '../core/errors.js';
import { runCase, type Section } from './case.js';
import { CaseContext } from './context.js';
import { type Platform, readPlatform } from './discovery.js';
import { SECTIONS } from './sections/index.js';
import type { CaseResult, ConformanceOptions, ConformanceReport, Level, Tally } from './types.js';

/** More would make the suite's own load look like the platform's slowness. */
const SECTIONS_AT_ONCE = 3;

/**
 * Checks a platform over HTTP alone. Cases of one section run one after the other.
 * @throws FaasError UNAVAILABLE when nobody answers at the URL, CONFIG for a bad URL or an unknown section
 */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const startedAt = performance.now();
  const { headers = {}, signal = new AbortController().signal, onResult } = options;
  const base = parseUrl(options.url);
  const sections = choose(options.sections);
  const platform = await readPlatform(base, headers, signal);
  const results = new Map<string, CaseResult[]>();
  const leftovers: string[] = [];

  const runSection = async (section: Section): Promise<void> => {
    const context = new CaseContext(base, headers, platform, signal);
    const done: CaseResult[] = [];
    results.set(section.name, done);
    try {
      for (const item of section.cases) {
        const result = await runCase(item, section.name, context, signal);
        done.push(result);
        onResult?.(result);
      }
    } finally {
      leftovers.push(...(await context.cleanUp()));
    }
  };
  await inParallel(
    sections.filter(({ alone }) => alone !== true),
    SECTIONS_AT_ONCE,
    runSection,
  );
  await inParallel(
    sections.filter(({ alone }) => alone === true),
    1,
    runSection,
  );
  return report(
    base,
    platform,
    sections.flatMap(({ name }) => results.get(name) ?? []),
    leftovers,
    startedAt,
  );
}

function report(
  base: URL,
  platform: Platform,
  results: readonly CaseResult[],
  leftovers: readonly string[],
  startedAt: number,
): ConformanceReport {
  const must = tally(results, 'MUST');
  return {
    url: base.href,
    ...(platform.spec !== undefined && { spec: platform.spec }),
    ...(platform.name !== undefined && { platform: platform.name }),
    features: [...platform.features],
    results,
    must,
    should: tally(results, 'SHOULD'),
    conforms: must.fail === 0 && must.couldNotRun === 0,
    leftovers,
    durationMs: Math.round(performance.now() - startedAt),
  };
}

function tally(results: readonly CaseResult[], level: Level): Tally {
  const count = (outcome: CaseResult['outcome']): number =>
    results.filter((result) => result.level === level && result.outcome === outcome).length;
  return {
    pass: count('pass'),
    fail: count('fail'),
    couldNotRun: count('could-not-run'),
    notOffered: count('not-offered'),
  };
}

function choose(names: readonly string[] | undefined): readonly Section[] {
  if (names === undefined || names.length === 0) return SECTIONS;
  const known = SECTIONS.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw config(`There is no section "${unknown}". Choose from: ${known.join(', ')}.`);
  return SECTIONS.filter(({ name }) => names.includes(name));
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw config(`"${text}" is no http or https URL, such as http://127.0.0.1:8080.`);
  return url;
}

function config(message: string): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message });
}

async function inParallel<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, lane));
}
