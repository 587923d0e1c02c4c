import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageHandler } from '../../src/packaging/index.js';
import { call, project, request, start, unpack } from './artifact.js';

const jobs = `
import { defineJob } from 'jobferry';
let id = 0;
const job = (name, handler, more = {}) => defineJob({ id: id++, name, handler, ...more });
export const echo = job('echo', (bytes) => bytes, { codec: 'bytes' });
export const chatty = job('chatty', () => { console.log('to log'); process.stdout.write('raw'); return 'fine'; });
export const throws = job('throws', () => { throw new TypeError('bad value'); });
export const rejects = job('rejects', () => new Promise(() => { setTimeout(() => { Promise.reject(new Error('nobody waits')); }, 1); }));
export const crashes = job('crashes', () => new Promise(() => { setTimeout(() => { throw new Error('in a timer'); }, 1); }));
export const exits = job('exits', () => process.exit(0));
export const exits3 = job('exits3', () => process.exit(3));
export const hangs = job('hangs', () => new Promise(() => {}));
export const leavesTimer = job('leavesTimer', () => { setInterval(() => {}, 1000); return 'done'; });
export const context = job('context', (_, c) => [c.callId, c.attempt, c.metadata, c.deadline, c.jobName, c.jobId]);
export const untilAborted = job('untilAborted', (_, c) => new Promise((resolve, reject) => {
  const timer = setInterval(() => {}, 1000);
  c.signal.addEventListener('abort', () => { clearInterval(timer); reject(c.signal.reason); });
}));
export const throwsString = job('throwsString', () => { throw 'just text'; });
`;
const ids = Object.fromEntries([...jobs.matchAll(/job\('(\w+)'/g)].map((match, id) => [match[1], id]));
const id = (name: string) => ids[name] as number;

let folder: string;
let bootstrap: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-stdio-'));
  const entry = await project({ 'jobs.ts': jobs }, folder);
  bootstrap = await unpack(await packageHandler({ entry }), folder);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a packaged handler over stdin and stdout', () => {
  it('answers and exits with 0', async () => {
    const { code, answer } = await call(bootstrap, '{"job_id":0,"args":[0,255]}');
    expect({ code, answer }).toEqual({ code: 0, answer: { result: [0, 255], success: true, metadata: {} } });
  });

  it('carries megabytes in and out without losing the end', async () => {
    const bytes = Buffer.alloc(
      3_000_000,
      Uint8Array.from({ length: 251 }, (_, i) => i),
    );
    const stdin = Buffer.from(`{"job_id":0,"args":${JSON.stringify([...bytes])}}`);
    const { answer } = await call(bootstrap, stdin);
    expect(Buffer.from(answer.result).equals(bytes)).toBe(true);
  });

  it('writes everything to a reader that is slow', async () => {
    const running = start(bootstrap, `{"job_id":0,"args":${JSON.stringify(new Array(500_000).fill(255))}}`);
    running.stdout.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    running.stdout.resume();
    const { stdout, code } = await running.ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString()).result).toHaveLength(500_000);
  });

  it('keeps stdout for the answer: what the handler prints goes to the log', async () => {
    const { value, stderr } = await call(bootstrap, request(id('chatty'), null));
    expect(value).toBe('fine');
    expect(stderr).toBe('to log\nraw');
  });

  it('hands the handler call id, attempt, metadata and deadline, and returns the metadata (origin-defects 0.18)', async () => {
    const deadline = Date.now() + 60_000;
    const more = { call_id: 'c-1', attempt: 3, deadline_ms: deadline, metadata: { tenant: 'a' } };
    const { value, answer } = await call(bootstrap, request(id('context'), null, more));
    expect(value).toEqual(['c-1', 3, { tenant: 'a' }, deadline, 'context', id('context')]);
    expect(answer.metadata).toEqual({ tenant: 'a' });
  });

  it('aborts the signal at the deadline', async () => {
    const { answer } = await call(
      bootstrap,
      request(id('untilAborted'), null, { deadline_ms: Date.now() + 50 }),
    );
    expect(answer.error).toMatch(/deadline/);
  });

  it('ends when the handler has finished, whatever timers it left behind', async () => {
    expect((await call(bootstrap, request(id('leavesTimer'), null))).value).toBe('done');
  });
});

describe('a packaged handler that is asked in binary-1', () => {
  /** Sends raw args behind a header line; splits what comes back. */
  async function binaryCall(jobId: number, args: Uint8Array, more: object = {}) {
    const header = JSON.stringify({ job_id: jobId, args_length: args.length, ...more });
    const stdin = Buffer.concat([Buffer.from(`${header}\n`), args]);
    const { stdout, code } = await start(bootstrap, stdin).ended;
    const lineEnd = stdout.indexOf('\n');
    return {
      code,
      header: JSON.parse(stdout.toString('utf8', 0, lineEnd)) as Record<string, unknown>,
      result: stdout.subarray(lineEnd + 1),
    };
  }

  it.each([
    ['no bytes', Buffer.alloc(0)],
    ['line ends', Buffer.from('\n{}\n\n')],
    ['bytes that are no UTF-8', Buffer.of(0xff, 0x0a, 0x00, 0xc3)],
    ['three megabytes', Buffer.alloc(3_000_000, 'ab\n\xff', 'latin1')],
  ])('carries %s in and out as they are', async (_, bytes) => {
    const { code, header, result } = await binaryCall(0, bytes, { metadata: { tenant: 'ä' } });
    expect(code).toBe(0);
    expect(header).toEqual({ success: true, result_length: bytes.length, metadata: { tenant: 'ä' } });
    expect(result.equals(bytes)).toBe(true);
  });

  it('answers a failure in a line that both forms can read', async () => {
    const { code, header, result } = await binaryCall(id('throws'), Buffer.from('null'));
    expect(code).toBe(1);
    expect(header).toMatchObject({
      success: false,
      result_length: 0,
      result: [],
      error: 'bad value',
      error_name: 'TypeError',
    });
    expect(result).toHaveLength(0);
  });

  it('refuses a request that was cut off', async () => {
    const { code, answer } = await call(bootstrap, '{"job_id":0,"args_length":5}\nabc');
    expect(code).toBe(1);
    expect(answer.error).toMatch(/announces 5 bytes of args and holds 3/);
  });
});

describe('a failure over stdin and stdout', () => {
  it('is an answer with name, message and stack, and exit code 1', async () => {
    const { code, answer } = await call(bootstrap, request(id('throws'), null));
    expect(code).toBe(1);
    expect(answer).toMatchObject({ result: [], success: false, error: 'bad value', error_name: 'TypeError' });
    expect(answer.error_stack).toContain('bootstrap:');
  });

  it.each([
    ['throwsString', /just text/],
    ['rejects', /nobody waits/],
    ['crashes', /in a timer/],
    ['exits', /never finished/],
    ['exits3', /exit code 3/],
    ['hangs', /never finished/],
  ])('is reported when the handler %s', async (name, message) => {
    const { code, answer } = await call(bootstrap, request(id(name), null));
    expect(answer.success).toBe(false);
    expect(answer.error).toMatch(message);
    expect(code).not.toBe(0);
  });

  it.each([
    ['is no JSON', 'hello', /JSON/],
    ['is empty', '', /JSON/],
    ['has args that are no bytes', '{"job_id":0,"args":[256]}', /args/],
    [
      'names a job that is not in the bundle',
      '{"job_id":99,"args":[]}',
      /does not hold job 99. It holds 0 "echo"/,
    ],
    ['has an input that is no JSON', `{"job_id":${id('throws')},"args":[123]}`, /input of job "throws"/],
  ])('is reported when the request %s', async (_, stdin, message) => {
    const { code, answer } = await call(bootstrap, stdin);
    expect(code).toBe(1);
    expect(answer.error).toMatch(message);
  });

  it.each([
    ['throws while it is loaded', 'throw new RangeError("early"); export default () => 1;', /early/],
    ['exports something that is no job', 'export const answer = 42;', /exports no job/],
    [
      'exports two jobs with one id',
      'import { defineJob } from "jobferry"; const j = (name) => defineJob({ id: 1, name, handler: () => 1 }); export const a = j("a"), b = j("b");',
      /two jobs with the id 1: "a" and "b"/,
    ],
  ])('is reported when the module %s', async (_, code, message) => {
    const artifact = await packageHandler({ entry: await project({ 'jobs.js': code }) });
    const { answer } = await call(await unpack(artifact), request(1, null));
    expect(answer.error).toMatch(message);
  });

  it('stays quiet when nobody reads the answer', async () => {
    const running = start(bootstrap, `{"job_id":0,"args":${JSON.stringify(new Array(500_000).fill(1))}}`);
    running.stdout.destroy();
    const { code, stderr } = await running.ended;
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  });
});
