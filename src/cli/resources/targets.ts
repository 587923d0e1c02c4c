/** Options that several commands over declared functions share. */
import type { Address, PlanOptions } from '../../resources/index.js';
import { EXIT, usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';
import type { Report } from '../report.js';

export interface TargetsOption {
  readonly target: readonly string[];
}

export function addTarget(text: string, all: readonly string[]): string[] {
  if (/^(function|secret)\.[^.]+$/.test(text)) return [...all, text];
  throw usageError(`--target ${JSON.stringify(text)}: use function.KEY or secret.KEY.`);
}

export function targetsOf({ target }: TargetsOption): PlanOptions {
  return target.length === 0 ? {} : { targets: target as readonly Address[] };
}

/** With --detailed-exitcode every error is exit code 1, so that 2 always means changes. */
export async function withDetailedExitCode(
  detailed: boolean | undefined,
  finish: Finish,
  work: () => Promise<Report>,
): Promise<void> {
  try {
    finish(await work());
  } catch (failure) {
    if (detailed !== true) throw failure;
    const message = failure instanceof Error ? failure.message : String(failure);
    console.error(`jobferry: ${message}`);
    finish({ lines: [], data: { error: { message } }, exitCode: EXIT.failed });
  }
}
