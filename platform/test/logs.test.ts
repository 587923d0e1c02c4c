import { EventEmitter, getEventListeners } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { followLog } from '../src/api/logs-door.js';
import { FunctionLogs, type LogEntry } from '../src/store/function-logs.js';
import { LogLines, MAX_LINE_BYTES, MAX_LINES_PER_SEC } from '../src/store/log-lines.js';
import { node, sh } from './support/bootstraps.js';
import { eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';

interface Line {
  readonly time: string;
  readonly stream: string;
  readonly message: string;
  readonly call_id?: string;
  readonly truncated?: boolean;
}

function parse(text: string): Line[] {
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
}

describe('the log of a function', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform({ limits: { logRetentionLines: 50 } });
    await server.deploy('talks', node('console.error("one"); console.error("two\\u00e4"); reply([]);'));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function read(id: string, query = ''): Promise<Line[]> {
    const { status, headers, bytes } = await server.requestBytes('GET', `/api/functions/${id}/logs${query}`);
    expect([status, headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
    return parse(bytes.toString('utf8'));
  }
  const call = (id: string, callId: string) => server.invoke(id, [], { 'X-Faas-Call-Id': callId });

  it('has what each call printed on stderr and how it ended, oldest first, with times and call ids', async () => {
    await call('talks', 'a');
    await call('talks', 'b');
    const lines = await read('talks');
    expect(
      lines.map(({ stream, message, call_id }) => [stream, message.replace(/\d+ ms/, 'n ms'), call_id]),
    ).toEqual([
      ['platform', 'deployed', undefined],
      ...['a', 'b'].flatMap((id) => [
        ['stderr', 'one', id],
        ['stderr', 'twoä', id],
        ['platform', 'completed in n ms', id],
      ]),
    ]);
    expect(lines.map(({ time }) => time)).toEqual(lines.map(({ time }) => time).toSorted());
  });

  it('can be asked for by call, by its end and by time', async () => {
    expect((await read('talks', '?call_id=b')).map(({ call_id }) => call_id)).toEqual(['b', 'b', 'b']);
    expect((await read('talks', '?tail=1')).map(({ call_id }) => call_id)).toEqual(['b']);
    expect(await read('talks', '?tail=0')).toEqual([]);
    expect(await read('talks', '?call_id=a&tail=2')).toHaveLength(2);
    const last = (await read('talks')).at(-1)?.time ?? '';
    expect((await read('talks', `?since=${encodeURIComponent(last)}`)).length).toBeGreaterThan(0);
    expect(await read('talks', '?since=2999-01-01T00:00:00Z')).toEqual([]);
  });

  it('says with which code a call failed', async () => {
    await server.deploy('fails', sh('echo why >&2; exit 3'));
    await call('fails', 'x');
    expect((await read('fails', '?call_id=x')).map(({ message }) => message)).toEqual([
      'why',
      'failed with FUNCTION_ERROR',
    ]);
  });

  it('cuts a line after 16 KiB and says so', async () => {
    await server.deploy('long', node('process.stderr.write("x".repeat(100000) + "\\nshort"); reply([]);'));
    await call('long', 'x');
    const [long, short] = await read('long', '?call_id=x');
    expect([long?.message.length, long?.truncated]).toEqual([MAX_LINE_BYTES, true]);
    expect([short?.message, short?.truncated]).toEqual(['short', undefined]);
  });

  it('keeps the newest lines only', async () => {
    await server.deploy(
      'chatty',
      sh(`i=0; while [ $i -lt 200 ]; do echo $i >&2; i=$((i+1)); done; printf '{"result":[]}'`),
    );
    await call('chatty', 'x');
    const lines = await read('chatty', '?tail=100000');
    expect(lines).toHaveLength(50);
    expect(lines.at(-2)?.message).toBe('199');
  });

  it('is forgotten with the function', async () => {
    await server.deploy('short-lived', sh('echo secret >&2'));
    await call('short-lived', 'x');
    await server.request('DELETE', '/api/functions/short-lived');
    await server.deploy('short-lived', sh('exit 0'));
    expect((await read('short-lived')).map(({ message }) => message)).toEqual(['deployed']);
  });

  it('begins anew with the function, though a call of the deleted one still runs', async () => {
    const folder = await tempFolder();
    const slow = `cat >/dev/null; touch ${folder}/runs; while [ ! -e ${folder}/go ]; do sleep 0.02; done; echo OLD >&2`;
    await server.deploy('reborn', sh(`${slow}; printf '{"result":[1]}'`));
    const old = call('reborn', 'old');
    await eventually(() => existsSync(`${folder}/runs`), 'the old call runs');
    await server.request('DELETE', '/api/functions/reborn');
    await server.deploy('reborn', sh(`printf '{"result":[2]}'`));
    await writeFile(`${folder}/go`, '');
    expect((await old).body.result).toEqual([1]);
    expect((await read('reborn')).map(({ message }) => message)).toEqual(['deployed']);
    expect((await server.request('GET', '/api/functions/reborn/health')).body.total_invocations).toBe(0);
    await call('reborn', 'new');
    expect((await server.request('GET', '/api/functions/reborn/health')).body.total_invocations).toBe(1);
  });
});

it('a function that prints without end slows down nobody else, and its log says what is missing', async () => {
  await using server = await testPlatform();
  await server.deploy('noisy', sh('exec yes "" >&2'), { timeout_secs: 3 });
  let hasEnded = false;
  const noisy = server.invoke('noisy').finally(() => {
    hasEnded = true;
  });
  let slowestMs = 0;
  while (!hasEnded) {
    const askedAt = performance.now();
    await server.request('GET', '/api');
    slowestMs = Math.max(slowestMs, performance.now() - askedAt);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // Before there was a budget: seconds.
  expect(slowestMs).toBeLessThan(500);
  expect((await noisy).body.code).toBe('TIMEOUT');
  const { bytes } = await server.requestBytes('GET', '/api/functions/noisy/logs?tail=1000');
  const said = parse(bytes.toString('utf8')).filter(({ stream }) => stream === 'platform');
  expect(said.some(({ message }) => /^\d+ lines dropped/.test(message))).toBe(true);
  expect(said.at(-1)?.message).toBe('failed with TIMEOUT');
});

describe('following a log', () => {
  /** Follows until told to stop; lines arrive in the array as they come. */
  async function follow(
    url: string,
  ): Promise<{ lines: Line[]; response: IncomingMessage; ended: Promise<void> }> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest(url).on('response', resolve).on('error', reject).end();
    });
    const lines: Line[] = [];
    response.on('error', () => {});
    createInterface({ input: response }).on('line', (line) => lines.push(...parse(line)));
    const ended = new Promise<void>((resolve) => response.once('close', () => resolve()));
    return { lines, response, ended };
  }

  it('brings what is there and then each line as it is written, until the client goes', async () => {
    await using server = await testPlatform();
    await server.deploy('talks', sh(`cat > /dev/null; echo hello >&2; printf '{"result":[]}'`));
    await server.invoke('talks', [], { 'X-Faas-Call-Id': 'before' });
    const url = `${server.platform.url}/api/functions/talks/logs?follow=true`;
    const all = await follow(`${url}&tail=2`);
    const one = await follow(`${url}&call_id=after&tail=0`);
    await server.invoke('talks', [], { 'X-Faas-Call-Id': 'after' });
    await server.invoke('talks', [], { 'X-Faas-Call-Id': 'other' });
    await eventually(() => all.lines.length >= 6 && one.lines.length >= 2, 'the lines arrive');
    expect(all.lines.map(({ call_id }) => call_id)).toEqual([
      'before',
      'before',
      'after',
      'after',
      'other',
      'other',
    ]);
    expect(one.lines.map(({ call_id }) => call_id)).toEqual(['after', 'after']);
    all.response.destroy();
    expect((await server.invoke('talks')).status).toBe(200);
    one.response.destroy();
  });

  it('ends when the platform closes', async () => {
    const server = await testPlatform();
    await server.deploy('talks', sh(`printf '{"result":[]}'`));
    const { ended, response } = await follow(`${server.platform.url}/api/functions/talks/logs?follow=true`);
    await server.platform.close();
    await ended;
    expect(response.complete).toBe(true);
  });

  it('sends an empty line when there is nothing to say', async () => {
    await using server = await testPlatform();
    await server.deploy('silent', sh(`printf '{"result":[]}'`));
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const url = `${server.platform.url}/api/functions/silent/logs?follow=true&tail=0`;
      httpRequest(url).on('response', resolve).on('error', reject).end();
    });
    let text = '';
    response.on('data', (chunk) => {
      text += chunk;
    });
    await eventually(() => text === '\n\n', 'two empty lines', 20_000);
    response.on('error', () => {});
    response.destroy();
  });
});

describe('a follower that goes', () => {
  it('leaves nothing behind', async () => {
    const stopping = new AbortController();
    const response = new EventEmitter();
    const follower = { functionId: 'f', passes: () => true, toLine: () => '' };
    const logs = new FunctionLogs(10);
    const followed = followLog(logs, follower, response as ServerResponse, stopping.signal, '\n');
    response.emit('close');
    await followed;
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([]);
  });
});

describe('lines', () => {
  it('are the same however the output was cut into pieces', () => {
    const text = Buffer.from('äöü one\r\ntwo\n\nthree 😀');
    for (let size = 1; size <= text.length; size++) {
      const logs = new FunctionLogs(100);
      const { stderr } = logs.ofCall('f', 'c');
      for (let at = 0; at < text.length; at += size) stderr.write(text.subarray(at, at + size));
      stderr.end();
      expect(logs.tail('f', 10, {}).map(({ message }: LogEntry) => message)).toEqual([
        'äöü one',
        'two',
        '',
        'three 😀',
      ]);
    }
  });

  it('above the budget of a second are counted, and the newest of them come out', () => {
    const lines: string[] = [];
    let dropped = 0;
    const log = new LogLines(
      (line) => lines.push(line),
      (count) => {
        dropped += count;
      },
    );
    const count = 200_000;
    for (let n = 0; n < count; n += 1000)
      log.write(Buffer.from(Array.from({ length: 1000 }, (_, at) => `${n + at}\n`).join('')));
    log.write(Buffer.from('the reason'));
    expect(lines).toHaveLength(MAX_LINES_PER_SEC);
    log.end();
    expect(lines.at(0)).toBe('0');
    expect(lines.slice(-2)).toEqual([String(count - 1), 'the reason']);
    expect(lines).toHaveLength(MAX_LINES_PER_SEC + 500);
    expect(lines.length + dropped).toBe(count + 1);
  });

  it('above the budget come out in the next second, when there are few of them', async () => {
    const logs = new FunctionLogs(10_000);
    const { stderr } = logs.ofCall('f', 'c');
    stderr.write(Buffer.from('x\n'.repeat(MAX_LINES_PER_SEC + 5)));
    expect(logs.tail('f', 10_000, {})).toHaveLength(MAX_LINES_PER_SEC);
    await eventually(() => logs.tail('f', 10_000, {}).length === MAX_LINES_PER_SEC + 5, 'the others', 5000);
  });

  it('take no more memory than their bound, however long they are', () => {
    const logs = new FunctionLogs(100_000);
    const { stderr } = logs.ofCall('f', 'c');
    for (let n = 0; n < 1000; n++) stderr.write(Buffer.from(`${'x'.repeat(10_000)}\n`));
    expect(logs.tail('f', 100_000, {}).length).toBeLessThan(450);
  });
});
