/**
 * A state in S3 when answers are lost. The store is a fake: moto, which the peers' tests run, cannot be told to do a write
 * and to say nothing of it.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyState, readState, S3Backend, withLock, writeState } from '../../src/resources/index.js';
import { backendSuite } from './backend-suite.js';

const objects = new Map<string, Buffer>();
/** Ends of keys whose next write is done and not answered, so often. */
const lost = new Map<string, number>();
const etagOf = (body: Buffer) => `"${createHash('md5').update(body).digest('hex')}"`;

const server = createServer(async (incoming, outgoing) => {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const raw = Buffer.concat(chunks);
  const key = new URL(incoming.url ?? '', 'http://s3').pathname;
  const there = objects.get(key);
  const answer = (status: number, body?: Buffer | string, headers = {}) =>
    outgoing.writeHead(status, headers).end(body);
  if (incoming.method === 'DELETE') {
    objects.delete(key);
    return answer(204);
  }
  if (incoming.method === 'GET') {
    return there === undefined
      ? answer(404, '<Error><Code>NoSuchKey</Code></Error>', { 'content-type': 'application/xml' })
      : answer(200, there, { etag: etagOf(there) });
  }
  const { 'if-match': match, 'if-none-match': none } = incoming.headers;
  const isRefused =
    (none === '*' && there !== undefined) ||
    (match !== undefined && (there === undefined || etagOf(there) !== match));
  if (isRefused) {
    return answer(412, '<Error><Code>PreconditionFailed</Code></Error>', {
      'content-type': 'application/xml',
    });
  }
  const body = unchunked(raw);
  objects.set(key, body);
  for (const [end, times] of lost) {
    if (!key.endsWith(end) || times === 0) continue;
    lost.set(end, times - 1);
    return incoming.socket.destroy();
  }
  return answer(200, undefined, { etag: etagOf(body) });
});

/** The client may send a checksum behind the body, in chunks of its own. */
function unchunked(raw: Buffer): Buffer {
  const [head, size] = /^([0-9a-f]+)\r\n/.exec(raw.toString('latin1')) ?? [];
  return head === undefined ? raw : raw.subarray(head.length, head.length + Number.parseInt(size ?? '', 16));
}

beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)));
afterAll(() => server.close());
let count = 0;
const open = (key: string) =>
  new S3Backend({
    bucket: 'states',
    key,
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  });
const fresh = () => {
  count += 1;
  return `${count}.json`;
};

describe('a state in S3', () => {
  backendSuite(async () => {
    const key = fresh();
    return () => open(key);
  });

  it('is locked by who hears nothing of its own lock, and given back', async () => {
    const key = fresh();
    const backend = open(key);
    lost.set(`${key}.lock`, 1);
    expect(await withLock(backend, 'apply', async () => 'inside')).toBe('inside');
    expect(objects.has(`/states/${key}.lock`)).toBe(false);
    await backend.close();
  });

  it('is written once, and on, when the answer to a write is lost', async () => {
    const key = fresh();
    const backend = open(key);
    const state = await readState(backend);
    lost.set(key, 1);
    await writeState(backend, { ...state, serial: 1 });
    lost.set(key, 1);
    await writeState(backend, { ...state, serial: 2 });
    await writeState(backend, { ...state, serial: 3 });
    expect(JSON.parse(String(objects.get(`/states/${key}`)))).toMatchObject({ serial: 3 });
    await backend.close();
  });

  it('goes on over its own write when every answer to it was lost', async () => {
    const key = fresh();
    const backend = open(key);
    await writeState(backend, { ...emptyState(), serial: 1 });
    lost.set(key, 9);
    // The first of the tries arrives, and the others are refused; whether the client says so is its own matter.
    await writeState(backend, { ...emptyState(), serial: 2 }).catch(() => {});
    lost.set(key, 0);
    await writeState(backend, { ...emptyState(), serial: 3 });
    expect(JSON.parse(String(objects.get(`/states/${key}`)))).toMatchObject({ serial: 3 });
    await backend.close();
  });
});
