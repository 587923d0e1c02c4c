/** Rows of figures as text in columns. */
import type { JobFigures } from './tally.ts';

const HEAD = [
  'job',
  'ran on',
  'ok',
  'failed',
  'p50 ms',
  'p95 ms',
  'p99 ms',
  'cold starts',
  'bytes in',
  'bytes out',
];

export function table(jobs: Readonly<Record<string, JobFigures>>): string {
  const rows = Object.entries(jobs).map(([name, figures]) => [
    name,
    figures.ranOn,
    ...[figures.ok, figures.failed, figures.p50Ms, figures.p95Ms, figures.p99Ms].map(String),
    ...[figures.coldStarts, figures.bytesIn, figures.bytesOut].map((count) => count.toLocaleString('en')),
  ]);
  const widths = HEAD.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  // Words to the left, figures to the right.
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  return [HEAD, ...rows].map(line).join('\n');
}
