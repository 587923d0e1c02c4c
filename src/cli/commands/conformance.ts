/** `jobferry conformance`: does a platform keep the standard? */
import { Command } from 'commander';
import { conformanceMatrix, runConformance, SECTION_NAMES } from '../../conformance/index.js';
import { EXIT, usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { authFrom } from '../providers/custom-http.js';

interface ConformanceCommandOptions {
  readonly section: readonly string[];
  readonly header: Readonly<Record<string, string>>;
}

export function conformanceCommand(finish: Finish): Command {
  return new Command('conformance')
    .description('check a platform against the custom FaaS standard: exit code 0 when every MUST holds')
    .argument('<url>', 'where the platform is')
    .option('--section <name>', 'only this section; may be repeated', collect, [])
    .option("--header <'Name: value'>", 'send this header with every request; may be repeated', header, {})
    .addHelpText(
      'after',
      `\nSections: ${SECTION_NAMES.join(', ')}\n\nExample:\n  $ jobferry conformance http://127.0.0.1:8080 --section deploy`,
    )
    .action(async (url: string, options: ConformanceCommandOptions) => {
      const interrupted = new AbortController();
      const interrupt = () => interrupted.abort();
      process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
      try {
        const report = await runConformance({
          url,
          headers: { ...keyHeader(), ...options.header },
          sections: options.section,
          signal: interrupted.signal,
        });
        finish({
          lines: conformanceMatrix(report),
          data: { ...report },
          exitCode: interrupted.signal.aborted ? EXIT.interrupted : report.conforms ? EXIT.ok : EXIT.failed,
        });
      } finally {
        process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      }
    });
}

function keyHeader(): Record<string, string> {
  const { auth } = authFrom(process.env);
  return auth === undefined ? {} : { authorization: `Bearer ${auth.bearer}` };
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function header(value: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const match = /^([A-Za-z0-9-]+):\s*(.+)$/.exec(value);
  if (match === null) throw usageError(`--header "${value}" is not of the form 'Name: value'.`);
  const [, name = '', text = ''] = match;
  return { ...before, [name.toLowerCase()]: text };
}
