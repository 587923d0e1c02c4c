/** Broken platforms: each is the model with one thing done wrong, and the cases that must notice. */

import { type Defect, FEATURE_DEFECTS } from './feature-defects.js';
import { type Ending, judgeStrictly, type Outcome, type Rules, success } from './platform/rules.js';
import { failure } from './platform/run-bootstrap.js';
import { ALL_CHECKS } from './platform/unzip.js';
import { PROCESS_DEFECTS } from './process-defects.js';
import { refusal, withBody, without } from './replies.js';

/** Judges as before, but makes something else of what is no success. */
function lenient(change: (outcome: Outcome, ending: Ending) => Outcome): Pick<Rules, 'judge'> {
  return {
    judge: (ending) => {
      const outcome = judgeStrictly(ending);
      return outcome.status === 200 ? outcome : change(outcome, ending);
    },
  };
}

export const DEFECTS: readonly Defect[] = [
  {
    name: 'answers 200 "deployed" to a junk zip',
    rules: { junkIsBootstrap: true },
    section: 'archive',
    caughtBy: ['archive-01', 'archive-02', 'archive-05', 'archive-12'],
  },
  {
    name: 'deploys an archive without bootstrap',
    rules: { unzip: { ...ALL_CHECKS, bootstrap: false } },
    section: 'archive',
    caughtBy: ['archive-12', 'archive-14'],
  },
  {
    name: 'skips entries that would leave the folder, in silence',
    rules: { unzip: { ...ALL_CHECKS, names: false } },
    section: 'archive',
    caughtBy: ['archive-16', 'archive-18'],
  },
  {
    name: 'takes symbolic links and devices',
    rules: { unzip: { ...ALL_CHECKS, kinds: false } },
    section: 'archive',
    caughtBy: ['archive-21', 'archive-23'],
  },
  {
    name: 'ignores the checksum of an entry',
    rules: { unzip: { ...ALL_CHECKS, crc: false } },
    section: 'archive',
    caughtBy: ['archive-07'],
  },
  {
    name: 'takes two entries of one name',
    rules: { unzip: { ...ALL_CHECKS, twice: false } },
    section: 'archive',
    caughtBy: ['archive-25'],
  },
  {
    name: 'always says three instances were warmed',
    rules: { warm: async () => 3 },
    section: 'warm',
    caughtBy: ['warm-03', 'warm-04'],
  },
  {
    name: 'warms by running the job',
    rules: {
      warm: async (runJob) => {
        await runJob();
        return 0;
      },
    },
    section: 'warm',
    caughtBy: ['warm-02'],
  },
  {
    name: 'is always healthy, whatever is asked about',
    rules: {
      before: ({ path }) =>
        path.endsWith('/health')
          ? {
              status: 200,
              body: { function_id: path.split('/')[3], status: 'healthy', total_invocations: 0 },
            }
          : undefined,
    },
    section: 'health',
    caughtBy: ['health-02', 'health-03', 'health-04'],
  },
  {
    name: 'overwrites what is deployed without being asked',
    rules: { otherContent: 'overwrite' },
    section: 'deploy',
    caughtBy: ['deploy-08', 'deploy-09', 'deploy-13'],
  },
  {
    name: 'refuses the same deploy again',
    rules: { sameAgain: 'conflict' },
    section: 'deploy',
    caughtBy: ['deploy-07'],
  },
  {
    name: 'answers a delete and leaves the function',
    rules: { deletes: 'nothing' },
    section: 'deploy',
    caughtBy: ['deploy-24'],
  },
  {
    name: 'checks no function id',
    rules: { validName: () => true },
    section: 'deploy',
    caughtBy: ['deploy-26', 'deploy-32', 'deploy-33'],
  },
  {
    name: 'invents an endpoint',
    rules: {
      after: (reply, { method }) =>
        method === 'PUT' && reply.status === 200
          ? withBody(reply, { endpoint: 'http://localhost:8080/api/functions/x/invoke' })
          : reply,
    },
    section: 'deploy',
    caughtBy: ['deploy-16'],
  },
  {
    name: 'turns a bad configuration into the defaults',
    rules: { lenientConfig: 'defaults' },
    section: 'config',
    caughtBy: ['config-05', 'config-08', 'config-12'],
  },
  {
    name: 'ignores unknown configuration fields',
    rules: { lenientConfig: 'unknown-fields' },
    section: 'config',
    caughtBy: ['config-24'],
  },
  {
    name: 'sends success: false with status 200',
    rules: lenient((outcome) => ({ ...outcome, status: 200 })),
    section: 'bootstrap',
    caughtBy: ['bootstrap-07', 'bootstrap-19'],
  },
  {
    name: 'takes unreadable output for an empty success',
    rules: lenient((outcome) => (outcome.code === 'BAD_OUTPUT' ? success(Buffer.alloc(0)) : outcome)),
    section: 'bootstrap',
    caughtBy: ['bootstrap-07', 'bootstrap-08', 'bootstrap-16'],
  },
  {
    name: 'does not look at the exit code',
    rules: { judge: (ending) => judgeStrictly({ ...ending, exitCode: 0, signal: null }) },
    section: 'bootstrap',
    caughtBy: ['bootstrap-17'],
  },
  {
    name: 'loses the error text of the function',
    rules: lenient((outcome) => failure(500, 'FUNCTION_ERROR', 'it failed', 'yes', outcome.details)),
    section: 'bootstrap',
    caughtBy: ['bootstrap-19'],
  },
  {
    name: 'writes all of stdin before it reads stdout',
    rules: { readsWhileWriting: false },
    section: 'bootstrap',
    caughtBy: ['bootstrap-04'],
  },
  {
    name: 'truncates job ids to 8 bits',
    rules: { jobId: (value) => value & 255 },
    section: 'invoke-json',
    caughtBy: ['invoke-json-06', 'invoke-json-10'],
  },
  {
    name: 'truncates job ids to 32 bits instead of refusing them',
    rules: { validJobId: (value) => typeof value === 'number', jobId: (value) => value >>> 0 },
    section: 'invoke-json',
    caughtBy: ['invoke-json-12', 'invoke-json-13', 'invoke-json-14'],
  },
  {
    name: 'clamps numbers to bytes',
    rules: { byte: (value) => Math.min(255, Math.max(0, Math.trunc(Number(value) || 0))) },
    section: 'invoke-json',
    caughtBy: ['invoke-json-21', 'invoke-json-22', 'invoke-json-23'],
  },
  {
    name: 'reports a constant run time',
    rules: { after: (reply) => (reply.status === 200 ? withBody(reply, { execution_ms: 128 }) : reply) },
    section: 'invoke-json',
    caughtBy: ['invoke-json-02'],
  },
  {
    name: 'reads arguments as text on their way',
    rules: {
      before: (request) => {
        const text = request.body.toString('latin1');
        return request.method === 'POST' && /\b(12[89]|1[3-9]\d|2\d\d)\b/.test(text.split('"args"')[1] ?? '')
          ? { status: 200, body: { job_id: 7, result: [239, 191, 189], success: true, execution_ms: 1 } }
          : undefined;
      },
    },
    section: 'invoke-bytes',
    caughtBy: ['invoke-bytes-03', 'invoke-bytes-06'],
  },
  {
    name: 'refuses for load without Retry-After',
    rules: {
      after: (reply, { path }) =>
        path.endsWith('/invoke') && Math.random() < 0.5
          ? { status: 429, body: refusal('THROTTLED') }
          : without(reply, 'retry-after'),
    },
    section: 'errors',
    caughtBy: ['errors-04'],
  },
  {
    name: 'answers unknown routes with a page',
    rules: {
      after: (reply, { path }) =>
        reply.status === 404 && !path.startsWith('/api/functions/cf-')
          ? { status: 404, body: Buffer.from('<h1>Not Found</h1>'), headers: { 'content-type': 'text/html' } }
          : reply,
    },
    section: 'errors',
    caughtBy: ['errors-01', 'errors-02'],
  },
  {
    name: 'repeats the payload in its errors',
    rules: {
      after: (reply, { body }) => (reply.status === 400 ? withBody(reply, { error: `bad: ${body}` }) : reply),
    },
    section: 'errors',
    caughtBy: ['errors-05'],
  },
  {
    name: 'answers to any Host',
    rules: { checksHost: false },
    section: 'http',
    caughtBy: ['http-30'],
  },
  {
    name: 'truncates the number of /job/{n} to 8 bits',
    rules: { jobOfPath: (text) => Number(text) & 255 },
    section: 'job',
    caughtBy: ['job-01', 'job-04'],
  },
  ...PROCESS_DEFECTS,
  ...FEATURE_DEFECTS,
];
