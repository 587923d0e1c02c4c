import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { answer, sh } from './support/bootstraps.js';
import { type JsonReply, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';
import { bootstrapZip } from './support/zip.js';

describe('the list of functions', () => {
  it('goes page by page in the order of the ids, and each record is the one GET answers with', async () => {
    await using server = await testPlatform();
    expect((await server.request('GET', '/api/functions')).body).toEqual({ functions: [] });
    for (const id of ['b', 'a', 'c-1', 'c']) await server.deploy(id, answer(1));
    const ids: string[] = [];
    for (let after = ''; ; ) {
      const { body } = await server.request('GET', `/api/functions?limit=2${after}`);
      for (const record of body.functions) {
        expect((await server.request('GET', `/api/functions/${record.function_id}`)).body).toEqual(record);
        ids.push(record.function_id);
      }
      if (body.next === undefined) break;
      after = `&after=${encodeURIComponent(body.next)}`;
    }
    expect(ids).toEqual(['a', 'b', 'c', 'c-1']);
    expect((await server.request('GET', '/api/functions')).body.functions).toHaveLength(4);
  });
});

describe('the version of a function', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const put = (id: string, n: number, headers: Record<string, string> = {}, query = ''): Promise<JsonReply> =>
    server.request('PUT', `/api/functions/${id}${query}`, {
      body: bootstrapZip(answer(n)),
      headers: { 'Content-Type': 'application/zip', ...headers },
    });
  const quoted = (reply: JsonReply): string => `"${reply.body.etag}"`;

  it('stands in the record and in the header ETag of PUT, GET and HEAD', async () => {
    const first = await put('tagged', 1);
    expect(first.headers.get('etag')).toBe(quoted(first));
    for (const method of ['GET', 'HEAD']) {
      const { headers } = await server.request(method, '/api/functions/tagged');
      expect(headers.get('etag')).toBe(quoted(first));
    }
  });

  it('changes with the archive and with the configuration, and comes back with them', async () => {
    const config = { 'X-Blueprint-Config': Buffer.from('{"memory_mb":256}').toString('base64') };
    const one = await put('changing', 1);
    const two = await put('changing', 2, {}, '?replace=true');
    const configured = await put('changing', 1, config, '?replace=true');
    expect(new Set([one.body.etag, two.body.etag, configured.body.etag]).size).toBe(3);
    expect((await put('changing', 1, {}, '?replace=true')).body.etag).toBe(one.body.etag);
  });

  it('If-Match replaces only that version', async () => {
    const first = await put('matched', 1);
    const second = await put('matched', 2, { 'If-Match': quoted(first) });
    expect([second.status, (await server.invoke('matched')).body.result]).toEqual([200, [2]]);
    const stale = await put('matched', 3, { 'If-Match': quoted(first) });
    expect([stale.status, stale.body.code]).toEqual([412, 'PRECONDITION_FAILED']);
    expect(stale.body.details).toEqual({ function_id: 'matched', etag: second.body.etag });
    expect((await put('matched', 3, { 'If-Match': `"other", ${quoted(second)}` })).status).toBe(200);
    expect((await put('matched', 4, { 'If-Match': '*' })).status).toBe(200);
    expect((await put('matched', 5, { 'If-Match': `W/${quoted(second)}` })).status).toBe(412);
    expect((await put('missing', 1, { 'If-Match': '*' })).status).toBe(412);
    expect((await server.invoke('matched')).body.result).toEqual([4]);
  });

  it('If-None-Match: * only creates', async () => {
    const create = { 'If-None-Match': '*' };
    expect((await put('fresh', 1, create)).status).toBe(200);
    expect((await put('fresh', 1, create)).body.code).toBe('PRECONDITION_FAILED');
    expect((await put('fresh', 2, create, '?replace=true')).status).toBe(412);
  });

  it.each([{ 'If-Match': 'unquoted' }, { 'If-Match': '"half' }, { 'If-None-Match': '"some-tag"' }])(
    '%j is INVALID_REQUEST',
    async (headers) => {
      expect((await put('fresh', 2, headers as Record<string, string>)).body.code).toBe('INVALID_REQUEST');
    },
  );

  it('a deploy that fails its condition leaves nothing of its upload', async () => {
    await put('fresh', 7, { 'If-None-Match': '*' });
    expect(await readdir(join(server.dataDir, 'incoming'))).toEqual([]);
  });

  it('of parallel replacements of one version exactly one wins', async () => {
    const first = await put('contended', 1);
    const replies = await Promise.all(
      [2, 3, 4, 5].map((n) => put('contended', n, { 'If-Match': quoted(first) })),
    );
    const winners = replies.flatMap(({ status }, index) => (status === 200 ? [index + 2] : []));
    expect(winners).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 412)).toHaveLength(3);
    expect((await server.invoke('contended')).body.result).toEqual(winners);
  });

  it('of parallel creations exactly one wins', async () => {
    const replies = await Promise.all([1, 2, 3].map((n) => put('created', n, { 'If-None-Match': '*' })));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 412, 412]);
  });

  it('DELETE takes If-Match too', async () => {
    const { body } = await put('dropped', 1);
    const drop = (etag: string) =>
      server.request('DELETE', '/api/functions/dropped', { headers: { 'If-Match': `"${etag}"` } });
    expect((await drop('other')).status).toBe(412);
    expect((await drop(body.etag)).status).toBe(200);
    expect((await drop(body.etag)).status).toBe(404);
  });
});

describe('HEAD', () => {
  it('answers every GET with the same status and no body', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform();
    await server.deploy('job3', sh(`cat > /dev/null; touch ${folder}/ran; printf '{"result":[1]}'`));
    for (const path of [
      '/api',
      '/api/functions',
      '/api/functions/job3',
      '/api/functions/job3/health',
      '/api/functions/job3/logs',
      '/api/functions/job3/logs?follow=true',
      '/api/invocations',
      '/api/functions/nobody',
      '/api/functions/nobody/logs',
      '/api/invocations/nobody',
      '/api/invocations/nobody/result',
      '/nowhere',
    ]) {
      const head = await server.requestBytes('HEAD', path);
      expect([path, head.bytes.length]).toEqual([path, 0]);
      if (path.endsWith('follow=true')) expect(head.status).toBe(200);
      else expect([path, head.status]).toEqual([path, (await server.requestBytes('GET', path)).status]);
    }
    for (const path of ['/api/functions/job3/invoke', '/job/3'])
      expect((await server.requestBytes('HEAD', path)).status).toBe(200);
    expect(existsSync(join(folder, 'ran'))).toBe(false);
  });
});
