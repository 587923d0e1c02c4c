/** The form of a case, and how one is run and judged. */
import type { CaseContext } from './context.js';
import { CouldNotRun, Mismatch } from './expect.js';
import { sentence } from './sentences.js';
import type { CaseOutcome, CaseResult, Feature } from './types.js';

export interface Case {
  /** Section and number, for example `deploy-03`; never given to another case. */
  readonly id: string;
  /** The sentence it checks; its level is the level of the case. */
  readonly cites: string;
  readonly title: string;
  readonly needs?: readonly (Feature | 'discovery' | 'key' | 'no-key')[];
  /** Throws Mismatch or CouldNotRun; to return is to pass. */
  readonly run: (context: CaseContext) => Promise<void>;
}

export interface Section {
  readonly name: string;
  readonly cases: readonly Case[];
  /** Needs the machine for itself: not beside another section. */
  readonly alone?: boolean;
}

export async function runCase(
  { id, cites, title, needs = [], run }: Case,
  section: string,
  context: CaseContext,
  signal: AbortSignal,
): Promise<CaseResult> {
  const cited = sentence(cites);
  const startedAt = performance.now();
  const outcome = await judge(needs, () => run(context), context, signal);
  const durationMs = Math.round(performance.now() - startedAt);
  return { id, section, title, level: cited.level, sentence: cited, needs, durationMs, ...outcome };
}

async function judge(
  needs: NonNullable<Case['needs']>,
  run: () => Promise<void>,
  context: CaseContext,
  signal: AbortSignal,
): Promise<CaseOutcome> {
  const missing = needs.map((need) => whyNot(need, context)).find((reason) => reason !== undefined);
  if (missing !== undefined) return { outcome: 'not-offered', reason: missing };
  if (signal.aborted) return couldNotRun('the run was aborted');
  try {
    await run();
    return { outcome: 'pass' };
  } catch (error) {
    if (signal.aborted) return couldNotRun('the run was aborted');
    if (error instanceof Mismatch) return { outcome: 'fail', expected: error.expected, seen: error.seen };
    if (error instanceof CouldNotRun) return couldNotRun(error.message);
    return couldNotRun(`the suite itself failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function couldNotRun(reason: string): CaseOutcome {
  return { outcome: 'could-not-run', reason };
}

function whyNot(need: NonNullable<Case['needs']>[number], context: CaseContext): string | undefined {
  switch (need) {
    case 'key':
      return context.hasKey ? undefined : 'the run has no key (--header "Authorization: Bearer …")';
    case 'no-key':
      return context.hasKey ? 'the platform demands a key' : undefined;
    case 'discovery':
      return context.platform.api.status === 404 ? 'GET /api is not offered (a 1.0 platform)' : undefined;
    default:
      return context.offers(need) ? undefined : `${need} is not listed in GET /api`;
  }
}
