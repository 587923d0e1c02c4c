/** What a command has to say, for people or as JSON. */
import { FaasError } from '../index.js';
import { EXIT, exitCodeOf } from './exit-codes.js';

export interface Report {
  /** For people, on stdout. */
  readonly lines: readonly string[];
  /** The fields of the JSON object, without `ok`. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Default 0. */
  readonly exitCode?: number;
  /** Default: whether the exit code is 0. With --detailed-exitcode another one is no error. */
  readonly ok?: boolean;
}

export function printReport(
  { lines, data, exitCode = EXIT.ok, ok = exitCode === EXIT.ok }: Report,
  json: boolean,
): number {
  if (json) printJson({ ok, ...data });
  else for (const line of lines) console.log(line);
  return exitCode;
}

/** stderr for people; with `--json` the last line of stdout can be parsed all the same. */
export function printError(error: unknown, json: boolean, exitCode = exitCodeOf(error)): number {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`jobferry: ${message}`);
  if (json) printJson({ ok: false, exitCode, error: FaasError.is(error) ? error.toJSON() : { message } });
  return exitCode;
}

function printJson(value: object): void {
  console.log(toJson(value));
}

/** JSON on one line for any value a job may return: bytes as base64, big integers as text. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, current: unknown) {
    // A Buffer has turned itself into an array by now; the original still stands in its holder.
    const original = this[key];
    if (original instanceof Uint8Array) return { base64: Buffer.from(original).toString('base64') };
    return typeof original === 'bigint' ? String(original) : current;
  });
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
