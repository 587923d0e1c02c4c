/** How a function of ours is known again, and how a second deploy of the same is seen. */
import { createHash } from 'node:crypto';
import type { Artifact } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { RemoteFunction } from './profile.js';

type Texts = Readonly<Record<string, string>>;

/** @param described all that is sent beside the code, in a stable order */
export function marksOf(jobId: JobId, artifact: Artifact, described: unknown): Record<string, string> {
  const digest = createHash('sha256')
    .update(JSON.stringify([described, artifact.sha256]))
    .digest('hex');
  return {
    'jobferry-job-id': String(jobId),
    'jobferry-digest': digest,
    'jobferry-code-sha256': artifact.sha256,
    'jobferry-code-bytes': String(artifact.bytes.length),
  };
}

/** For an API that keeps nothing but environments: `JOBFERRY_JOB_ID`, … */
export function asEnvironment(marks: Texts): Record<string, string> {
  return Object.fromEntries(Object.entries(marks).map(([name, value]) => [variable(name), value]));
}

export function readMarks(
  texts: Texts,
  inEnvironment = false,
): Pick<RemoteFunction, 'jobId' | 'digest' | 'sha256' | 'artifactBytes'> {
  const of = (name: string) => texts[inEnvironment ? variable(name) : name];
  const figure = (text: string | undefined) => (/^\d+$/.test(text ?? '') ? Number(text) : undefined);
  const [jobId, artifactBytes] = [figure(of('jobferry-job-id')), figure(of('jobferry-code-bytes'))];
  const [digest, sha256] = [of('jobferry-digest'), of('jobferry-code-sha256')];
  return {
    ...(jobId !== undefined && { jobId }),
    ...(digest !== undefined && { digest }),
    ...(sha256 !== undefined && { sha256 }),
    ...(artifactBytes !== undefined && { artifactBytes }),
  };
}

const variable = (name: string): string => name.toUpperCase().replaceAll('-', '_');

/** The strings of a map that came from outside; `null` and absent are none. */
export function textsOf(value: unknown): Texts {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}
