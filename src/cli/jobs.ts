/** Which jobs a user's file holds, and which of them is meant. */
import { type AnyJob, isJob } from '../index.js';
import { usageError } from './exit-codes.js';

/** The jobs a module exports, by id. */
export function jobsIn(module: Readonly<Record<string, unknown>>): AnyJob[] {
  const jobs = new Set(Object.values(module).filter(isJob));
  return [...jobs].sort((a, b) => a.id - b.id);
}

/** A name, or an id in digits, among the jobs of a file. */
export function findJob(jobs: readonly AnyJob[], nameOrId: string, file: string): AnyJob {
  const found = jobs.find((job) => job.name === nameOrId) ?? jobs.find((job) => String(job.id) === nameOrId);
  if (found !== undefined) return found;
  const known = jobs.map((job) => `${job.id} "${job.name}"`).join(', ') || 'no job';
  throw usageError(`${file} exports no job ${JSON.stringify(nameOrId)}. It exports ${known}.`);
}
