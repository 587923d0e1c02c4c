/** `jobferry invoke`: one call of a deployed job. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { Command } from 'commander';
import { type AnyJob, bytesCodec, callContext, defineJob } from '../../index.js';
import { loadModule } from '../../packaging/index.js';
import { usageError } from '../exit-codes.js';
import { findJob, jobsIn } from '../jobs.js';
import type { Finish } from '../program.js';
import { toJson } from '../report.js';
import { integer, onTarget, parseJobId, type TargetOptions, withTarget } from '../target.js';

interface InvokeOptions extends TargetOptions {
  readonly input?: string;
  readonly file?: string;
  readonly timeout: number;
}

export function invokeCommand(finish: Finish): Command {
  const command = new Command('invoke')
    .description('call a deployed job once and print what it returns')
    .argument('<job>', 'id of the job; or its name, together with --file')
    .option('--input <json>', 'the input as JSON, @FILE to read it from a file, - to read it from stdin')
    .option('--file <file>', 'the file that defines the job: for its name and codec')
    .option('--timeout <s>', 'seconds to wait', integer(1), 300);
  return withTarget(command)
    .addHelpText(
      'after',
      `\nExamples:\n  $ jobferry invoke 0 --input 7\n  $ jobferry invoke resize --file jobs.ts --input @picture.json`,
    )
    .action(async (nameOrId: string, options: InvokeOptions) => {
      const job = await jobToInvoke(nameOrId, options.file);
      const args = await readInput(job, options.input);
      const { result, metrics, metadata } = await onTarget(options, (executor, signal) => {
        using context = callContext({ timeoutMs: options.timeout * 1000, signal });
        const { deadline } = context;
        const call = {
          jobId: job.id,
          args,
          callId: randomUUID(),
          attempt: 1,
          deadline,
          idempotent: false,
          metadata: {},
        };
        return executor.invoke(call, context).finally(() => context.disarm());
      });
      const value = job.codec.output.decode(result);
      finish({ lines: [toJson(value) ?? ''], data: { jobId: job.id, value, metrics, metadata } });
    });
}

async function jobToInvoke(nameOrId: string, file: string | undefined): Promise<AnyJob> {
  if (file !== undefined) return findJob(jobsIn(await loadModule(file)), nameOrId, file);
  if (!/^\d+$/.test(nameOrId)) {
    throw usageError(
      `"${nameOrId}" is no job id. To call a job by its name, say which file defines it: --file jobs.ts`,
    );
  }
  return defineJob({ id: parseJobId(nameOrId), name: `job ${nameOrId}` });
}

/** A job that takes bytes gets the input as it is; all others get it checked as JSON and encoded by their codec. */
async function readInput(job: AnyJob, input: string | undefined): Promise<Uint8Array> {
  if (input === undefined) return new Uint8Array(0);
  const bytes = await readSource(input);
  if (job.codec.input === bytesCodec) return bytes;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw usageError(`--input is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return job.codec.input.encode(value);
}

async function readSource(input: string): Promise<Buffer> {
  if (input === '-') return await buffer(process.stdin);
  if (!input.startsWith('@')) return Buffer.from(input);
  try {
    return await readFile(input.slice(1));
  } catch (cause) {
    throw usageError(`--input cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
