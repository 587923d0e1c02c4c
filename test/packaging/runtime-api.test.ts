import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { packageHandler } from '../../src/packaging/index.js';
import { project, request, start, unpack } from './artifact.js';

interface Event {
  readonly body: string;
  readonly headers?: Record<string, string>;
}

interface Posted {
  readonly path: string;
  readonly body: { readonly result?: number[]; readonly stackTrace?: string[] };
}

/** The server side of the Lambda Runtime API: hands out events in order and keeps what comes back. */
async function runtimeApi(events: readonly Event[], expectedPosts: number) {
  const waiting = [...events];
  const posts: Posted[] = [];
  const sockets = new Set<unknown>();
  let next = 0;
  const finished = Promise.withResolvers<void>();
  const server = createServer(async (incoming: IncomingMessage, reply: ServerResponse) => {
    sockets.add(incoming.socket);
    if (incoming.method === 'GET') {
      const event = waiting.shift();
      if (event === undefined) return; // /next blocks until there is work
      reply.setHeader('Lambda-Runtime-Aws-Request-Id', `request-${next++}`);
      for (const [name, value] of Object.entries(event.headers ?? {})) reply.setHeader(name, value);
      reply.setHeader('Content-Type', 'application/json');
      reply.end(event.body);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const path = (incoming.url ?? '').replace('/2018-06-01/runtime', '');
    posts.push({ path, body: JSON.parse(Buffer.concat(chunks).toString()) });
    reply.writeHead(202).end();
    if (posts.length === expectedPosts) finished.resolve();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { host: `127.0.0.1:${port}`, posts, sockets, finished: finished.promise };
}

async function serve(code: string, events: readonly Event[], expectedPosts = events.length) {
  const bootstrap = await unpack(await packageHandler({ entry: await project({ 'jobs.js': code }) }));
  const api = await runtimeApi(events, expectedPosts);
  const running = start(bootstrap, '', { AWS_LAMBDA_RUNTIME_API: api.host });
  onTestFinished(async () => {
    running.kill();
    await running.ended;
  });
  await api.finished;
  return { ...api, running };
}

const value = (post: Posted | undefined) => JSON.parse(Buffer.from(post?.body.result ?? []).toString());

describe('the same artifact over the Lambda Runtime API', () => {
  it('serves call after call in one process over one connection', async () => {
    const code = 'let calls = 0; export default (n) => [n, ++calls, process.pid];';
    const events = [1, 2, 3].map((n) => ({ body: request(0, n, { metadata: { n: String(n) } }) }));
    const { posts, sockets, running } = await serve(code, events);
    expect(posts.map((post) => post.path)).toEqual([0, 1, 2].map((n) => `/invocation/request-${n}/response`));
    expect(posts.map(value)).toEqual([1, 2, 3].map((n) => [n, n, running.pid]));
    expect(posts[2]?.body).toMatchObject({ success: true, metadata: { n: '3' } });
    expect(sockets.size).toBe(1);
  });

  it('reports what a handler throws and goes on', async () => {
    const code = 'export default (n) => { if (n === 0) throw new RangeError("zero"); return n; };';
    const { posts } = await serve(code, [{ body: request(0, 0) }, { body: request(0, 5) }]);
    expect(posts[0]?.path).toBe('/invocation/request-0/error');
    expect(posts[0]?.body).toMatchObject({ errorType: 'RangeError', errorMessage: 'zero' });
    expect(posts[0]?.body.stackTrace?.[0]).toBe('RangeError: zero');
    expect(value(posts[1])).toBe(5);
  });

  it('takes the deadline from the header, or the nearer one of the request', async () => {
    const code = 'export default (_, context) => context.deadline;';
    const headers = { 'Lambda-Runtime-Deadline-Ms': '2000000000000' };
    const nearer = request(0, null, { deadline_ms: 1_900_000_000_000 });
    const { posts } = await serve(code, [
      { body: request(0, null), headers },
      { body: nearer, headers },
    ]);
    expect(posts.map(value)).toEqual([2_000_000_000_000, 1_900_000_000_000]);
  });

  it('reports a request it cannot read as the error of that call', async () => {
    const { posts } = await serve('export default () => 1;', [
      { body: 'nonsense' },
      { body: request(0, null) },
    ]);
    expect(posts.map((post) => post.path)).toEqual([
      '/invocation/request-0/error',
      '/invocation/request-1/response',
    ]);
  });

  it('reports a module that cannot be loaded as an init error and ends', async () => {
    const { posts, running } = await serve('throw new Error("no config"); export default 1;', [], 1);
    expect(posts[0]).toMatchObject({ path: '/init/error', body: { errorMessage: 'no config' } });
    expect((await running.ended).code).toBe(1);
  });

  it('reports an unhandled rejection for the call it belongs to and ends, since its state is unknown', async () => {
    const code = 'export default () => new Promise(() => { Promise.reject(new Error("lost")); });';
    const { posts, running } = await serve(code, [{ body: request(0, null) }]);
    expect(posts[0]).toMatchObject({ path: '/invocation/request-0/error', body: { errorMessage: 'lost' } });
    expect((await running.ended).code).toBe(1);
  });

  it('ends with a message when the platform is gone', async () => {
    const bootstrap = await unpack(
      await packageHandler({ entry: await project({ 'jobs.js': 'export default () => 1' }) }),
    );
    const { code, stderr } = await start(bootstrap, '', { AWS_LAMBDA_RUNTIME_API: '127.0.0.1:1' }).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/ECONNREFUSED/);
  });
});
