/** The report as text: one line a case, what went wrong below it, the sums at the end. */
import type { CaseResult, ConformanceReport, Tally } from './types.js';

const MARKS: Record<CaseResult['outcome'], string> = {
  pass: 'pass',
  fail: 'FAIL',
  'not-offered': '-',
  'could-not-run': 'NOT RUN',
};

export function conformanceMatrix(report: ConformanceReport): string[] {
  const lines = [
    `${report.platform ?? 'platform'} at ${report.url}, spec ${report.spec ?? '1.0 (no GET /api)'}`,
  ];
  lines.push(`features: ${report.features.join(', ') || 'none'}`);
  let section = '';
  for (const [index, result] of report.results.entries()) {
    if (result.section !== section) {
      section = result.section;
      lines.push('', section);
    }
    lines.push(...caseLines(result, index + 1));
  }
  lines.push(
    '',
    sums('MUST', report.must),
    sums('SHOULD', report.should),
    ...report.leftovers.map((name) => `could not be removed: function ${name}`),
    `${report.conforms ? 'conforms' : 'does NOT conform'} (${(report.durationMs / 1000).toFixed(1)} s)`,
  );
  return lines;
}

function caseLines(result: CaseResult, number: number): string[] {
  const { id, level, sentence, title, outcome } = result;
  const line = `${String(number).padStart(4)}  ${MARKS[outcome].padEnd(7)}  ${level.padEnd(6)}  ${`[${sentence.id}]`.padEnd(8)}  ${id}  ${title}`;
  switch (outcome) {
    case 'pass':
      return [line];
    case 'fail':
      return [
        line,
        ...indent(`the standard: ${sentence.text}`, `expected: ${result.expected}`, `saw: ${result.seen}`),
      ];
    case 'could-not-run':
      return [line, ...indent(`because: ${result.reason}`)];
    case 'not-offered':
      return [`${line} (${result.reason})`];
  }
}

function indent(...lines: readonly string[]): string[] {
  return lines.map((line) => `               ${line}`);
}

function sums(level: string, { pass, fail, couldNotRun, notOffered }: Tally): string {
  return `${level.padEnd(6)}  ${pass} passed, ${fail} failed, ${couldNotRun} could not run, ${notOffered} not offered`;
}
