/**
 * Kills the built platform again and again while it takes and runs asynchronous calls and deploys, then compares what
 * its records say with what the functions left outside.
 */

import { readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { answer, sh } from './bootstraps.js';
import { eventually, type JsonReply, tempFolder } from './platform.js';
import { buildPlatform, type PlatformProcess, spawnPlatform } from './platform-process.js';
import { zip } from './zip.js';

export interface CrashPlan {
  readonly kills: number;
  readonly calls: number;
  readonly concurrency: number;
  readonly seed: number;
}

export interface CrashReport {
  readonly dataDir: string;
  readonly built: string;
  /** The record of every call that was answered 202, at the end. */
  readonly records: readonly JsonReply['body'][];
  /** Calls that were answered 202 and are in no record. */
  readonly lost: readonly string[];
  /** Calls seen in two different ends. */
  readonly changed: readonly string[];
  /** `callId attempt` of each run, as the functions wrote it. */
  readonly runs: readonly string[];
  /** Deploys that were answered, by function, with the bytes they answer with. */
  readonly deployed: ReadonlyMap<string, number>;
}

const HEADERS = { 'Content-Type': 'application/json', Prefer: 'respond-async' };
const PAGE = 1000;

export async function crashAgainAndAgain(plan: CrashPlan): Promise<CrashReport> {
  const built = await builtPlatform();
  const dataDir = await tempFolder();
  const runFile = join(await tempFolder(), 'runs');
  await writeFile(runFile, '');
  const random = randomFrom(plan.seed);
  const options = { dataDir, concurrency: plan.concurrency, port: 0 };
  const accepted = new Set<string>();
  const ends = new Map<string, string>();
  const changed = new Set<string>();
  const deployed = new Map<string, number>();
  let platform = await spawnPlatform(built, options);
  try {
    await platform.deploy('job', recorder(runFile), { max_concurrency: 1000 });
    const perRound = Math.ceil(plan.calls / (plan.kills + 1));
    let next = 0;
    const submit = async (current: () => PlatformProcess): Promise<void> => {
      const ids = Array.from({ length: Math.min(perRound, plan.calls - next) }, () => `call-${next++}`);
      await inParallel(8, ids, async (id) => {
        await eventually(() => accepts(current(), id), `${id} is accepted`, 120_000);
        accepted.add(id);
      });
    };
    const submissions: Promise<void>[] = [];
    for (let kill = 0; kill < plan.kills; kill++) {
      submissions.push(submit(() => platform));
      const name = `version-${kill % 3}`;
      const deploy = platform.deploy(name, manyFiles(kill), {}, '?replace=true').then(
        ({ status }) => status === 200 && deployed.set(name, kill % 256),
        () => false,
      );
      await new Promise((resolve) => setTimeout(resolve, 20 + random() * 600));
      await look(platform, ends, changed).catch(() => {});
      await platform.kill();
      await deploy;
      platform = await spawnPlatform(built, options);
    }
    submissions.push(submit(() => platform));
    await Promise.all(submissions);
    let records: JsonReply['body'][] = [];
    await eventually(
      async () => {
        records = await look(platform, ends, changed);
        return records.every(({ finished_at }) => finished_at !== undefined);
      },
      'every invocation ends',
      240_000,
    );
    const known = new Set(records.map(({ invocation_id }) => invocation_id));
    return {
      dataDir,
      built,
      records,
      lost: [...accepted].filter((id) => !known.has(id)),
      changed: [...changed],
      runs: (await readFile(runFile, 'utf8')).split('\n').filter((line) => line !== ''),
      deployed,
    };
  } finally {
    await platform.kill();
  }
}

/** Processes of functions: those that work in the data folder or have it in their environment. */
export async function functionProcesses(dataDir: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    const cwd = await readlink(`/proc/${name}/cwd`).catch(() => '');
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    if (cwd.startsWith(dataDir) || environment.includes(`HOME=${dataDir}`)) found.push(Number(name));
  }
  return found;
}

/** Writes down outside that it runs, takes a moment, answers. All in the shell, so that it is cheap to start. */
function recorder(runFile: string): string {
  return sh(`read -r input || [ -n "$input" ]
call=\${input#*\\"call_id\\":\\"}; call=\${call%%\\"*}
attempt=\${input#*\\"attempt\\":}; attempt=\${attempt%%[,\\}]*}
echo "$call $attempt" >> ${runFile}
sleep 0.04
printf '{"result":[1]}'`);
}

function manyFiles(n: number): Buffer {
  const files = Array.from({ length: 20 }, (_, file) => ({ name: `f${file}`, content: `${n}`.repeat(5000) }));
  return zip([{ name: 'bootstrap', content: answer(n % 256) }, ...files]);
}

/** False when the platform cannot be reached; the same call id makes asking again harmless. */
async function accepts(platform: PlatformProcess, id: string): Promise<boolean> {
  const body = '{"job_id":1,"args":[1,2,3]}';
  const headers = { ...HEADERS, 'X-Faas-Call-Id': id };
  const reply = await platform
    .request('POST', '/api/functions/job/invoke', { body, headers })
    .catch(() => undefined);
  if (reply === undefined || reply.status === 503) return false;
  if (reply.status !== 202)
    throw new Error(`${id} was answered ${reply.status} ${JSON.stringify(reply.body)}`);
  return true;
}

/** Reads all records and notes the ends that are there. */
async function look(
  platform: PlatformProcess,
  ends: Map<string, string>,
  changed: Set<string>,
): Promise<JsonReply['body'][]> {
  const records: JsonReply['body'][] = [];
  for (let after = 0; ; ) {
    const { body } = await platform.request('GET', `/api/invocations?limit=${PAGE}&after=${after}`);
    records.push(...body.invocations);
    if (body.next === undefined) break;
    after = Number(body.next);
  }
  for (const { invocation_id: id, status, finished_at, attempts } of records) {
    if (finished_at === undefined) {
      if (ends.has(id)) changed.add(id);
      continue;
    }
    const end = `${status} ${finished_at} ${attempts}`;
    if ((ends.get(id) ?? end) !== end) changed.add(id);
    ends.set(id, end);
  }
  return records;
}

async function builtPlatform(): Promise<string> {
  const home = await tempFolder();
  // The bundle finds its dependency and its package.json as an installed package would.
  await symlink(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(home, 'node_modules'));
  await writeFile(join(home, 'package.json'), '{"type":"module","version":"0.0.0"}');
  return buildPlatform(join(home, 'dist'));
}

async function inParallel<T>(
  count: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: count }, worker));
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
