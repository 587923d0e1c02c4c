/**
 * The requests that were recorded with OpenFaaS, sent to our own door one after the other. What the gateway, a
 * watchdog or faas-memory answered is the truth our answers are held against; where we answer otherwise on purpose,
 * the reason stands in `OTHERWISE`. Answers of a stand-in for a provider only show what such providers do.
 */

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey, type Platform, startPlatform } from '../../platform/src/index.js';
import { contractFile } from './folder.js';

interface Capture {
  readonly label: string;
  readonly set: string;
  readonly authored_by: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string | null;
  };
  readonly response: {
    readonly status: number;
    readonly headers: readonly (readonly [string, string])[];
    readonly body?: string;
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Label -> what we answer instead, and why. */
const OTHERWISE: Readonly<Record<string, readonly [status: number, body: RegExp, why: string]>> = {
  'root redirect': [401, /UNAUTHORIZED/, 'there is no user interface to lead to'],
  'unauth ui': [401, /UNAUTHORIZED/, 'there is no user interface; the paths outside are the platform’s own'],
  'unknown path': [401, /UNAUTHORIZED/, 'the paths outside of OpenFaaS are the platform’s own'],
  'metrics healthz :8082': [200, /^$/, 'there is no second port for metrics'],
  'async GET': [401, /^invalid credentials$/, 'the state of a call can be asked for here, with a key'],
  // Of a stand-in for a provider:
  healthz: [200, /^$/, 'the body is the provider’s own'],
  'deploy duplicate': [409, /already exists/, 'a conflict is no fault of the server'],
  'deploy malformed json': [400, /^failed to unmarshal request: /, 'parsers have words of their own'],
  'update non-existing': [404, /ghost\.openfaas-fn not found/, 'there are no deployments of Kubernetes here'],
  'scale missing': [404, /unable to lookup function ghost/, 'what is not there is 404'],
  'delete missing': [404, /ghost/, 'there are no deployments of Kubernetes here'],
};
/** What is compared of the headers, beside whether there is a call id. */
const HEADERS = ['content-type', 'www-authenticate', 'x-content-type-options', 'x-openfaas-internal'];

const all = (
  JSON.parse(readFileSync(contractFile('openfaas-captures.json'), 'utf8')) as { captures: Capture[] }
).captures;
const isUpstream = ({ authored_by: by }: Capture): boolean => /^(gateway|of-watchdog|classic)/.test(by);
const named = (set: string): (readonly [string, Capture])[] =>
  all.filter((one) => one.set === set).map((one) => [one.label, one] as const);
const recordedHeader = ({ response }: Capture, wanted: string): string | null =>
  response.headers.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? null;

let platform: Platform;
let dataDir: string;
let password: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'jobferry-captures-'));
  const { key } = await createKey({ dataDir, name: 'admin' });
  password = `Basic ${Buffer.from(`admin:${key}`).toString('base64')}`;
  platform = await startPlatform({
    port: 0,
    dataDir,
    requireKey: true,
    publicFunctions: true,
    isolation: 'off',
    openfaas: { namespaces: ['openfaas-fn', 'certifier-test'], acceptUnknownAsync: true },
  });
});
afterAll(async () => {
  await platform.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function send(capture: Capture, path = capture.request.path): Promise<Answer> {
  const { method, headers: recorded, body } = capture.request;
  const headers = new Headers(recorded);
  if (capture.label === 'bad password') headers.set('authorization', `Basic ${btoa('admin:wrong')}`);
  else if (capture.label.startsWith('bearer token')) headers.set('authorization', 'Bearer token');
  else if (headers.has('authorization')) headers.set('authorization', password);
  const response = await fetch(`${platform.url}${path}`, {
    method,
    headers,
    redirect: 'manual',
    ...(body !== null && { body }),
  });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

async function system(method: string, path: string, body: object): Promise<void> {
  const response = await fetch(`${platform.url}/system/${path}`, {
    method,
    headers: { authorization: password, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(202);
}

async function ready(name: string): Promise<void> {
  for (const giveUpAt = Date.now() + 60_000; Date.now() < giveUpAt; ) {
    const response = await fetch(`${platform.url}/system/function/${name}`, {
      headers: { authorization: password },
    });
    const fn = (await response.json()) as { availableReplicas?: number; reason?: string };
    if (fn.availableReplicas === 1) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${name} did not become ready`);
}

/** JSON is the same when every recorded field is there; times, hashes and what differs by its nature are not compared. */
function expectSameBody(capture: Capture, answer: string): void {
  const recorded = capture.response.body ?? '';
  if (capture.label === 'info') {
    const shape = (text: string) => Object.keys(JSON.parse(text) as object).sort();
    return expect(shape(answer)).toEqual(shape(recorded));
  }
  if (capture.label === 'logs') {
    const [line = ''] = answer.split('\n');
    const [known = ''] = recorded.split('\n');
    return expect(Object.keys(JSON.parse(line) as object)).toEqual(Object.keys(JSON.parse(known) as object));
  }
  if (capture.label === 'async bad callback url') return expect(answer).toMatch(/^parse "http:\/\/\[::1": /);
  if (!/^[[{]/.test(recorded) || capture.request.path.startsWith('/function/'))
    return expect(answer).toBe(recorded);
  const without = (text: string): unknown =>
    JSON.parse(text, (name, value: unknown) =>
      ['createdAt', 'availableReplicas', 'invocationCount'].includes(name) ? undefined : value,
    );
  const [ours, theirs] = [without(answer), without(recorded)];
  // More than was recorded is allowed in an object, and not in a list.
  if (Array.isArray(theirs)) expect(ours).toHaveLength(theirs.length);
  expect(ours).toMatchObject(theirs as object);
}

describe('a day with the gateway, request by request', () => {
  it.each([...named('caps-gw'), ...named('caps-zero')])('%s', async (label, capture) => {
    const otherwise = OTHERWISE[label];
    // The gateway held 3, then 1, then 5 replicas at this place, since it clamps what it is asked for; we do not.
    const isClamped = /^(get after scale|scale 99|list with query)/.test(label);
    // What is deployed is called when it is ready; the gateway's stand-in was ready at once.
    if (
      capture.request.path.startsWith('/function/cat-fn') &&
      capture.request.path !== '/function/cat-fn.nons'
    )
      await ready('cat-fn');
    const answer = await send(capture);
    if (otherwise !== undefined) {
      expect(answer.status).toBe(otherwise[0]);
      return expect(answer.body).toMatch(otherwise[1]);
    }
    expect(answer.status).toBe(capture.response.status);
    if (capture.request.method !== 'HEAD' && !isClamped) expectSameBody(capture, answer.body);
    if (!isUpstream(capture)) return;
    for (const name of HEADERS)
      expect([name, answer.headers.get(name)]).toEqual([name, recordedHeader(capture, name)]);
    // An answer that refuses the callback names no call here: there is none.
    if (label !== 'async bad callback url')
      expect(answer.headers.has('x-call-id')).toBe(recordedHeader(capture, 'x-call-id') !== null);
  });
});

/** The program behind the recorded of-watchdog, and our functions by the same names. */
const PROGRAM = `
require('node:http').createServer((request, response) => {
  if (request.url.startsWith('/die')) return request.socket.destroy();
  const ms = Number(new URL(request.url, 'http://x').searchParams.get('ms') ?? 0);
  setTimeout(() => {
    response.setHeader('X-Got-Call-Id', request.headers['x-call-id'] ?? '');
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    response.end('done');
  }, ms);
}).listen(Number(process.env.PORT), '127.0.0.1');`;

/** One stored file, as zips write it. */
function zipOf(name: string, content: string): string {
  const data = deflateRawSync(Buffer.from(content));
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(8, 4);
  fields.writeUInt32LE(crc32(content), 10);
  fields.writeUInt32LE(data.length, 14);
  fields.writeUInt32LE(Buffer.byteLength(content), 18);
  fields.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), data]);
  const tail = Buffer.alloc(14);
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), fields, tail, Buffer.from(name)]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]).toString('base64');
}

describe('watchdogs', () => {
  beforeAll(async () => {
    const code = zipOf('server.js', PROGRAM);
    const http = (service: string, envVars: object) =>
      system('POST', 'functions', {
        service,
        image: 'none',
        envProcess: 'node server.js',
        envVars: { mode: 'http', ...envVars },
        labels: { 'com.openfaas.scale.max': '1' },
        code_archive: code,
      });
    await http('ofw', { exec_timeout: '2s' });
    await http('ofw-one', { exec_timeout: '9s', max_inflight: '1' });
    await system('POST', 'functions', { service: 'cw', image: 'none', envProcess: 'env' });
    await system('POST', 'functions', { service: 'cw-false', image: 'none', envProcess: 'false' });
    for (const name of ['ofw', 'ofw-one', 'cw', 'cw-false']) await ready(name);
  });

  const captureNamed = (label: string): Capture => {
    const found = all.find((one) => one.label === label);
    if (found === undefined) throw new Error(`nothing was recorded as ${label}`);
    return found;
  };
  const expectRecorded = (answer: Answer, capture: Capture): void => {
    expect([answer.status, answer.body]).toEqual([capture.response.status, capture.response.body ?? '']);
    expect(answer.headers.get('x-openfaas-internal')).toBe(recordedHeader(capture, 'x-openfaas-internal'));
  };

  it.each([
    'ofw invoke',
    'ofw exec timeout',
    'ofw X-Timeout 500ms',
    'ofw X-Timeout too long',
    'ofw X-Timeout malformed',
    'ofw upstream drops connection',
  ])('%s', async (label) => {
    const capture = captureNamed(label);
    await ready('ofw');
    const answer = await send(capture, `/function/ofw${capture.request.path}`);
    expectRecorded(answer, capture);
    if (label === 'ofw invoke') expect(answer.headers.get('x-got-call-id')).toBe('abc');
  });

  it('ofw over max_inflight', async () => {
    const capture = captureNamed('ofw over max_inflight');
    const busy = fetch(`${platform.url}/function/ofw-one/?ms=1500`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expectRecorded(await send(capture, '/function/ofw-one/'), capture);
    expect((await busy).status).toBe(200);
  });

  it('cw invoke env', async () => {
    const capture = captureNamed('cw invoke env');
    const { status, body } = await send(capture, `/function/cw${capture.request.path}`);
    expect(status).toBe(200);
    const lines = body.split('\n');
    // The client of the recording asked for another encoding, of another host.
    const recorded = (capture.response.body ?? '').split('\n').filter((line) => line.startsWith('Http_'));
    const compared = recorded.filter((line) => !/^Http_(Host|Accept_Encoding)=/.test(line));
    expect(compared.length).toBeGreaterThan(5);
    for (const line of compared) expect(lines).toContain(line);
  });

  it('cw nonzero exit', async () => {
    const capture = captureNamed('cw nonzero exit');
    expectRecorded(await send(capture, '/function/cw-false/'), capture);
  });
});

describe('what was recorded and is not compared', () => {
  it('is this, and nothing else', () => {
    const compared = new Set(['caps-gw', 'caps-zero']);
    const rest = all.filter(
      ({ set, label }) =>
        !compared.has(set) && !/^(ofw (invoke|exec|X-|upstream|over)|cw (invoke|nonzero))/.test(label),
    );
    const reasons = rest.map(({ set, label }): string => {
      if (set === 'caps-mem') return 'faas-memory keeps everything in a map and says yes to most';
      if (set === 'caps-down') return 'this gateway has no provider behind it that could be down';
      if (/health|ready|metrics/.test(label))
        return 'the watchdog’s own paths, which are the platform’s business';
      if (label === 'cw exec timeout') return 'one answer to a time that is over: the 504 of of-watchdog';
      return `nothing says why ${set}: ${label} is left out`;
    });
    expect(reasons.filter((reason) => reason.startsWith('nothing'))).toEqual([]);
    expect(reasons).toHaveLength(35);
  });
});
