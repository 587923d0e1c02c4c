/** The user's module -> the job that answers a job id. */
import { type AnyJob, defineJob, isJob, type JobHandler } from '../../core/define-job.js';
import { FaasError } from '../../core/errors.js';
import type { JobId } from '../../core/job.js';

export type FindJob = (jobId: JobId) => AnyJob;

/**
 * A module serves every job it exports; one without jobs serves any id with its default-exported function.
 * @throws {FaasError} CONFIG when it exports neither, or two jobs with one id.
 */
export function jobsOf(module: Readonly<Record<string, unknown>>): FindJob {
  const jobs = new Map<JobId, AnyJob>();
  for (const job of exportedValues(module).filter(isJob)) {
    const other = jobs.get(job.id);
    if (other !== undefined && other !== job) {
      throw config(`The module exports two jobs with the id ${job.id}: "${other.name}" and "${job.name}".`);
    }
    jobs.set(job.id, job);
  }
  if (jobs.size > 0) return (jobId) => jobs.get(jobId) ?? unknownJob(jobId, jobs);
  const handler = exportedValues(module).find((value) => typeof value === 'function');
  if (handler === undefined) {
    throw config('The module exports no job: export what defineJob returns, or a function as the default.');
  }
  return (jobId) =>
    defineJob({ id: jobId, name: 'default', handler: handler as JobHandler<unknown, unknown> });
}

/** All exports for jobs, but of the functions only the default: any other may be a helper. */
function exportedValues(module: Readonly<Record<string, unknown>>): unknown[] {
  const byDefault = module['default'];
  // A CommonJS module arrives as the default, with its exports inside.
  const inner = typeof byDefault === 'object' && byDefault !== null && !isJob(byDefault) ? byDefault : {};
  const all = [byDefault, ...Object.values(module), ...Object.values(inner)];
  const functions = [byDefault, (inner as Record<string, unknown>)['default']];
  return all.filter((value) => typeof value !== 'function' || functions.includes(value));
}

function unknownJob(jobId: JobId, jobs: ReadonlyMap<JobId, AnyJob>): never {
  const sorted = [...jobs.values()].sort((a, b) => a.id - b.id);
  const known = sorted.map((job) => `${job.id} "${job.name}"`).join(', ');
  throw config(`This function does not hold job ${jobId}. It holds ${known}.`);
}

function config(message: string): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message });
}
