import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { LogEntry, LogOptions } from '../../src/core/executor.ts';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.ts';
import { isAbout, isInvoke, stage } from './platform-11.ts';
import { call, failureOf, pause, serve, until } from './server.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function staged(...options: Parameters<typeof stage>) {
  const made = await stage(...options);
  open.push(made);
  return made;
}

async function all(entries: AsyncIterable<LogEntry>): Promise<LogEntry[]> {
  const list: LogEntry[] = [];
  for await (const entry of entries) list.push(entry);
  return list;
}

const messages = async (entries: AsyncIterable<LogEntry>) =>
  (await all(entries)).map(({ message }) => message);

/** Reads a log in the background. */
function follow(executor: HttpFaasExecutor, options: LogOptions = {}) {
  const stop = new AbortController();
  const seen: string[] = [];
  const ended = (async () => {
    for await (const { message } of executor.logs(7, { follow: true, signal: stop.signal, ...options })) {
      seen.push(message);
    }
    return 'ended';
  })();
  return { stop, seen, ended };
}

describe('the log of a function', () => {
  it('comes oldest first, with time and call id, and ends', async () => {
    const { executor } = await staged();
    await call(executor, { callId: 'a' });
    await call(executor, { callId: 'b' });
    const entries = await all(executor.logs(7));
    expect(entries.map(({ callId, message }) => `${callId} ${message}`)).toEqual([
      'a attempt 1 started',
      'a ended: HTTP 200',
      'b attempt 1 started',
      'b ended: HTTP 200',
    ]);
    expect(entries.every(({ time }) => time instanceof Date && !Number.isNaN(time.getTime()))).toBe(true);
  });

  it('is narrowed by tail, call id and time', async () => {
    const { executor } = await staged();
    await call(executor, { callId: 'a' });
    await pause(20);
    const since = new Date();
    await call(executor, { callId: 'b' });
    expect(await messages(executor.logs(7, { tail: 1 }))).toEqual(['ended: HTTP 200']);
    expect((await all(executor.logs(7, { callId: 'a' }))).map(({ callId }) => callId)).toEqual(['a', 'a']);
    expect((await all(executor.logs(7, { since }))).map(({ callId }) => callId)).toEqual(['b', 'b']);
  });

  it('is whole unless a tail is asked for, and a tail is never more than the platform keeps', async () => {
    const { executor, lines } = await staged();
    for (let index = 0; index < 60; index++) await call(executor, { callId: `c${index}` });
    expect(await all(executor.logs(7))).toHaveLength(120);
    expect(await all(executor.logs(7, { tail: 10_000 }))).toHaveLength(120);
    const asked = lines().filter((line) => line.includes('/logs'));
    expect(asked).toEqual(Array(2).fill('GET /api/functions/job7/logs?tail=1000'));
  });

  it('of a function that is not there is NOT_FOUND', async () => {
    const { executor } = await staged();
    const error = await failureOf(all(executor.logs(5)));
    expect([error.code, error.executed]).toEqual(['NOT_FOUND', 'no']);
  });

  it('is UNSUPPORTED without the feature, and where there is no life cycle', async () => {
    const { executor } = await staged({}, { features: ['list'] });
    const error = await failureOf(all(executor.logs(7)));
    expect(error.code).toBe('UNSUPPORTED');
    expect(error.message).toContain('`logs`');
    const bare = await staged({ api: 'job-endpoint' });
    expect((await failureOf(all(bare.executor.logs(7)))).code).toBe('UNSUPPORTED');
  });

  it('is read with the credentials of the executor', async () => {
    let asked = 0;
    const bearer = () => {
      asked += 1;
      return asked === 1 ? 'right' : asked === 2 ? 'stale' : 'right';
    };
    const { executor } = await staged({ auth: { bearer } }, { bearer: 'right' });
    expect(await all(executor.logs(7))).toEqual([]);
    const refused = await staged({ auth: { bearer: 'wrong' } }, { bearer: 'right' });
    expect((await failureOf(all(refused.executor.logs(7)))).code).toBe('AUTH');
  });
});

describe('a log that is followed', () => {
  it('brings what comes later, and ends without an error when its signal aborts', async () => {
    const { executor } = await staged();
    const { stop, seen, ended } = follow(executor);
    await pause(100);
    await call(executor);
    await until(() => seen.length === 2);
    stop.abort();
    expect(await ended).toBe('ended');
  });

  it('ends at once when its signal has aborted before', async () => {
    const { executor, lines } = await staged();
    expect(await all(executor.logs(7, { follow: true, signal: AbortSignal.abort() }))).toEqual([]);
    expect(lines().some((line) => line.includes('/logs'))).toBe(false);
  });

  it('ends when the executor is closed', async () => {
    const { executor } = await staged();
    const { ended } = follow(executor);
    await pause(100);
    await executor.close();
    expect(await ended).toBe('ended');
  });

  it('closes its connection when its reader leaves', async () => {
    const { server, executor, connections } = await scripted(() => undefined);
    for await (const _ of executor.logs(7, { follow: true })) break;
    await until(() => connections() === 0);
    expect(server.requests).toHaveLength(1);
  });
});

const START_MS = Date.parse('2026-11-20T12:00:00.000Z');
/** Line `n`; two lines share each millisecond, and every fourth repeats the text of the one before. */
const line = (n: number) => {
  const time = new Date(START_MS + Math.floor(n / 2)).toISOString();
  return `${JSON.stringify({ time, stream: 'stderr', message: `line ${n % 4 === 3 ? n - 1 : n}` })}\n`;
};
const text = (n: number) => `line ${n % 4 === 3 ? n - 1 : n}`;

/**
 * A platform whose log has ten lines more at each connection, and which breaks the connection as `breakOff` says,
 * after so many bytes.
 */
async function scripted(breakOff: (connection: number) => number | undefined) {
  let connection = 0;
  let current = 0;
  const server = await serve(({ url }, response: ServerResponse) => {
    const query = new URL(url, 'http://x').searchParams;
    const sinceMs = Date.parse(query.get('since') ?? '1970-01-01T00:00:00Z');
    connection += 1;
    current += 1;
    response.once('close', () => {
      current -= 1;
    });
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const lines = Array.from({ length: 10 * connection }, (_, n) => ({
      n,
      timeMs: START_MS + Math.floor(n / 2),
    }));
    const body = lines.filter(({ timeMs }) => timeMs >= sinceMs).map(({ n }) => line(n));
    const bytes = breakOff(connection);
    const whole = Buffer.from(`\n${body.join('\n')}`);
    if (bytes === undefined) response.write(whole);
    else response.write(whole.subarray(0, bytes), () => response.destroy());
    return undefined;
  });
  const about = { spec: '1.1', features: ['logs'], limits: { log_retention_lines: 5000 } };
  // The description comes from a platform of its own, since this server only knows logs.
  const described = await staged();
  described.platform.script([{ match: isAbout, times: 9, respond: { status: 200, body: about } }]);
  const { Agent } = await import('undici');
  const agent = new Agent();
  const dispatcher = agent.compose((dispatch) => (options, handler) => {
    const origin = options.path === '/api' ? described.platform.url : server.url;
    return dispatch({ ...options, origin }, handler);
  });
  const executor = new HttpFaasExecutor({ baseUrl: server.url, dispatcher });
  open.push(server, executor, { [Symbol.asyncDispose]: () => agent.destroy() });
  return { server, executor, connections: () => current };
}

describe('a log whose connection breaks', () => {
  it.each([
    ['after the head', 0],
    ['between two lines', 1 + line(0).length],
    ['in the middle of a line', 40],
    ['in the middle of a millisecond', 1 + 2 * (line(0).length + 1) + line(2).length + 1],
    ['near its end', 700],
  ])('%s goes on without a gap and without repeats', async (_title, bytes) => {
    const { executor } = await scripted((connection) => (connection < 4 ? bytes * connection : undefined));
    const { stop, seen, ended } = follow(executor);
    await until(() => seen.length >= 40);
    await pause(50);
    stop.abort();
    await ended;
    expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => text(n)));
  });

  it('asks for everything since the last line, not for a tail', async () => {
    const { server, executor } = await scripted((connection) => (connection === 1 ? 1000 : undefined));
    const { stop, seen } = follow(executor, { tail: 3, callId: 'c' });
    await until(() => seen.length >= 20);
    stop.abort();
    const [first, second] = server.requests.map(({ url }) => new URL(url, 'http://x').searchParams);
    expect([first?.get('tail'), first?.get('since')]).toEqual(['3', null]);
    expect([second?.get('tail'), second?.get('call_id'), second?.get('follow')]).toEqual([
      '5000',
      'c',
      'true',
    ]);
    expect(Date.parse(second?.get('since') ?? '')).toBeGreaterThanOrEqual(START_MS);
  });

  it('also where it is not followed', async () => {
    const { executor } = await staged();
    for (let index = 0; index < 5; index++) await call(executor, { callId: `c${index}` });
    const whole = await messages(executor.logs(7));
    const broken = await staged();
    broken.platform.script([{ match: ({ path }) => path.includes('/logs'), times: 2, reset: true }]);
    for (let index = 0; index < 5; index++) await call(broken.executor, { callId: `c${index}` });
    expect(await messages(broken.executor.logs(7))).toEqual(whole);
    expect(broken.platform.requests.filter(isInvoke)).toHaveLength(5);
  });

  it('ends when the function was undeployed in between', async () => {
    const { executor, platform } = await staged();
    await call(executor);
    const { seen, ended } = follow(executor);
    await until(() => seen.length === 2);
    platform.script([
      { match: ({ path }) => path.includes('/logs'), respond: { status: 404, body: { code: 'NOT_FOUND' } } },
    ]);
    platform.dropConnections();
    expect(await ended).toBe('ended');
  });

  it('is not taken for one when it is no log at all', async () => {
    const { executor, platform } = await staged();
    const respond = { status: 200, body: `${'x'.repeat(300_000)}` };
    platform.script([{ match: ({ path }) => path.includes('/logs'), respond }]);
    const error = await failureOf(all(executor.logs(7)));
    expect([error.code, error.executed]).toEqual(['PROTOCOL', 'no']);
  });
});
