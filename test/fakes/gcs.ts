/**
 * Google Cloud Storage on loopback, as far as its JSON API is documented for objects: insert (simple and resumable),
 * get, delete, list. https://cloud.google.com/storage/docs/json_api/v1/objects and …/docs/performing-resumable-uploads.
 * Stateful and strict: what the documentation forbids is answered with an error.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const CHUNK_UNIT = 256 * 1024;
export const TOKEN = 'token-of-the-test';

interface Kept {
  readonly bytes: Buffer;
  readonly updated: string;
}

export interface FakeGcs extends AsyncDisposable {
  readonly endpoint: string;
  readonly bucket: string;
  readonly objects: Map<string, Kept>;
  /** Resumable uploads under way. */
  readonly sessions: Map<string, { readonly name: string; parts: Buffer[] }>;
  /** Answers the next requests with these statuses, first. */
  readonly failures: number[];
}

export async function fakeGcs(pageSize = 2): Promise<FakeGcs> {
  const bucket = 'claims';
  const objects: FakeGcs['objects'] = new Map();
  const sessions: FakeGcs['sessions'] = new Map();
  const failures: number[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const reply = (status: number, value: unknown = {}, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(status === 204 ? undefined : JSON.stringify(value));
    };
    const failure = failures.shift();
    if (failure !== undefined) return reply(failure, { error: { code: failure } });
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return reply(401, { error: { code: 401 } });
    const url = new URL(request.url ?? '', 'http://fake');
    const query = url.searchParams;
    const keep = (name: string, bytes: Buffer) => {
      objects.set(name, { bytes, updated: new Date().toISOString() });
      reply(200, { kind: 'storage#object', name, size: String(bytes.length) });
    };

    if (url.pathname === `/upload/storage/v1/b/${bucket}/o`) return upload();
    if (url.pathname === `/storage/v1/b/${bucket}/o` && request.method === 'GET') return list();
    const name = new RegExp(`^/storage/v1/b/${bucket}/o/([^/]+)$`).exec(url.pathname)?.[1];
    if (name === undefined) return reply(404, { error: { code: 404 } });
    const key = decodeURIComponent(name);
    const object = objects.get(key);
    if (object === undefined) return reply(404, { error: { code: 404 } });
    if (request.method === 'DELETE') {
      objects.delete(key);
      return reply(204);
    }
    if (query.get('alt') === 'media') {
      response.writeHead(200, { 'content-length': object.bytes.length });
      response.end(object.bytes);
      return;
    }
    reply(200, {
      kind: 'storage#object',
      name: key,
      size: String(object.bytes.length),
      updated: object.updated,
    });

    function list(): void {
      const prefix = query.get('prefix') ?? '';
      const names = [...objects.keys()].filter((one) => one.startsWith(prefix)).sort();
      const from = names.findIndex((one) => one > (query.get('pageToken') ?? ''));
      const page = from < 0 ? [] : names.slice(from, from + pageSize);
      const isMore = from >= 0 && from + pageSize < names.length;
      const items = page.map((one) => ({ name: one, updated: objects.get(one)?.updated }));
      reply(200, { ...(items.length > 0 && { items }), ...(isMore && { nextPageToken: page.at(-1) }) });
    }

    function upload(): void {
      const session = query.get('upload_id');
      if (session !== null) return resume(session);
      const name = query.get('name');
      if (request.method !== 'POST' || name === null) return reply(400, { error: { code: 400 } });
      if (query.get('uploadType') === 'media') return keep(name, body);
      const id = randomUUID();
      sessions.set(id, { name, parts: [] });
      const location = `http://${request.headers.host}${url.pathname}?uploadType=resumable&upload_id=${id}`;
      reply(200, {}, { location });
    }

    function resume(id: string): void {
      const session = sessions.get(id);
      if (session === undefined) return reply(410, { error: { code: 410 } });
      if (request.method === 'DELETE') {
        sessions.delete(id);
        return reply(499);
      }
      const [, start, end, total] =
        /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(request.headers['content-range'] ?? '') ?? [];
      const before = session.parts.reduce((sum, part) => sum + part.length, 0);
      const isLast = total !== '*';
      const isFine =
        Number(start) === before &&
        Number(end) - Number(start) + 1 === body.length &&
        (isLast ? Number(total) === before + body.length : body.length % CHUNK_UNIT === 0);
      if (!isFine) return reply(400, { error: { code: 400 } });
      session.parts.push(body);
      if (!isLast) return reply(308, {}, { range: `bytes=0-${end}` });
      sessions.delete(id);
      keep(session.name, Buffer.concat(session.parts));
    }
  }

  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bucket,
    objects,
    sessions,
    failures,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
