/** `jobferry run`: requests in as lines of JSON, outcomes out as lines of JSON. */
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Command } from 'commander';
import {
  type JobRunner,
  type JobRunnerBuilder,
  type Outcome,
  type RunSummary,
  stopOnSignals,
} from '../../index.js';
import { loadModule } from '../../packaging/index.js';
import { fromNdjson, toNdjson } from '../../sources/index.js';
import { EXIT, usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';

type Builder = JobRunnerBuilder<Outcome>;

export function runCommand(finish: Finish): Command {
  return new Command('run')
    .description('run jobs from lines of JSON and print one outcome a line')
    .argument('<config>', 'file whose default export is a runner builder, or a function that returns one')
    .option('--input <file>', 'where the lines come from; default stdin')
    .addHelpText(
      'after',
      `
A line in:   {"jobName":"square","input":7}   or with "jobId"; also callId, deadline, metadata
A line out:  {"jobName":"square","status":"ok","value":49,…}
The outcomes come in the order in which jobs end. A line that makes no sense gives a failed outcome with its number.
The exit code is 1 when any job failed, or anything beside the jobs did: the input, a service, a shutdown handler.

Examples:
  $ echo '{"jobName":"square","input":7}' | jobferry run runner.ts
  $ jobferry run runner.ts --input requests.ndjson > outcomes.ndjson`,
    )
    .action(async (config: string, { input }: { input?: string }) => {
      const builder = await loadBuilder(config);
      const runner = builder
        .producer(fromNdjson(await openInput(input)), { name: 'lines' })
        .consumer(toNdjson(process.stdout), { name: 'stdout' })
        .build();
      stopOnSignals(runner);
      sayTroubles(runner);
      const summary = await runner.run();
      console.error(describe(summary));
      finish({ lines: [], data: { summary }, exitCode: isFine(summary) ? EXIT.ok : EXIT.failed });
    });
}

async function loadBuilder(config: string): Promise<Builder> {
  const { default: exported } = await loadModule(config);
  const builder = (typeof exported === 'function' ? await exported() : exported) as
    | Partial<Builder>
    | undefined;
  if (typeof builder?.producer === 'function' && typeof builder.build === 'function')
    return builder as Builder;
  throw usageError(
    `${config} must export a runner builder, or a function that returns one, as its default: export default JobRunner.builder().job(…) without build().`,
  );
}

async function openInput(path: string | undefined): Promise<Readable> {
  if (path === undefined) return process.stdin;
  try {
    return (await open(path)).createReadStream();
  } catch (cause) {
    throw usageError(`--input cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** What fails beside the jobs, on stderr: stdout has outcomes only. */
function sayTroubles(runner: JobRunner): void {
  const say = (who: string, error: unknown) =>
    console.error(`${who}: ${error instanceof Error ? error.message : String(error)}`);
  runner.on('producerError', ({ producer, error }) => say(`producer ${producer}`, error));
  runner.on('consumerError', ({ consumer, error }) => say(`consumer ${consumer}`, error));
  runner.on('parked', ({ consumer, outcome, reason }) =>
    say(`consumer ${consumer}`, `an outcome of job ${outcome.jobName} is lost: ${reason}`),
  );
  runner.on('ackError', ({ call, error }) => say(call, error));
  runner.on('serviceError', ({ service, error }) => say(`service ${service}`, error));
  runner.on('shutdownError', ({ handler, error }) => say(`shutdown handler ${handler}`, error));
}

/** A delivery that failed and was cured by another attempt (`consumerErrors`) is no fault of the run. */
function isFine(summary: RunSummary): boolean {
  const { accepted, ok, parked, producerErrors, ackErrors, serviceErrors, shutdownErrors } = summary;
  return ok === accepted && parked + producerErrors + ackErrors + serviceErrors + shutdownErrors === 0;
}

function describe({ accepted, ok }: RunSummary): string {
  return `${accepted} jobs: ${ok} ok, ${accepted - ok} not`;
}
