import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type OpenFaasClient, openFaasClient, upstream } from './support/openfaas.js';
import { eventually, type TestPlatform, testPlatform } from './support/platform.js';
import { zip } from './support/zip.js';

let server: TestPlatform;
let faas: OpenFaasClient;

beforeAll(async () => {
  server = await testPlatform();
  faas = openFaasClient(server);
  await faas.deploy({ service: 'env', envProcess: 'env', envVars: { custom_env: 'mine' } });
  await faas.deploy({ service: 'cat', envProcess: 'cat' });
  await faas.deploy(upstream({ service: 'http' }, { exec_timeout: '3s' }));
  for (const name of ['env', 'cat', 'http']) await faas.ready(name);
});
afterAll(() => server[Symbol.asyncDispose]());

describe('a program that is started for each request', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    '%s reaches it with its head in variables',
    async (method) => {
      const { status, text, headers } = await faas.call('/function/env.openfaas-fn/a/b?testing=1', {
        method,
        headers: { 'X-Custom-Header': 'v' },
      });
      expect(status).toBe(200);
      for (const line of [
        `Http_Method=${method}`,
        'Http_Path=/a/b',
        'Http_Query=testing=1',
        'Http_X_Custom_Header=v',
        'custom_env=mine',
        `Http_X_Call_Id=${headers.get('x-call-id')}`,
      ])
        expect(text.split('\n')).toContain(line);
      expect(headers.get('x-start-time')).toMatch(/^\d{19}$/);
      expect(Number(headers.get('x-duration-seconds'))).toBeGreaterThan(0);
    },
  );

  it('there is no Http_Query without a query', async () => {
    expect((await faas.call('/function/env')).text).not.toContain('Http_Query');
  });

  it('its body and its output are bytes', async () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
    const { bytes } = await server.requestBytes('POST', '/function/cat', { body });
    expect(bytes.equals(body)).toBe(true);
  });

  it('a call id of the caller is used, and not told back', async () => {
    const { text, headers } = await faas.call('/function/env', { headers: { 'X-Call-Id': 'my-id-1' } });
    expect(text).toContain('Http_X_Call_Id=my-id-1\n');
    expect(headers.has('x-call-id')).toBe(false);
  });

  it('its end with a code is a 500 that names it', async () => {
    await faas.deploy({ service: 'false', envProcess: 'false' });
    await faas.ready('false');
    expect(await faas.call('/function/false')).toMatchObject({ status: 500, text: 'exit status 1\n' });
  });

  it('is killed at its time, with what it started', async () => {
    const marker = `31536${process.pid % 1000}`;
    const code = zip([{ name: 'hang.sh', content: `#!/bin/sh\nsleep ${marker} & wait\n`, mode: 0o100755 }]);
    await faas.deploy({
      service: 'hangs',
      envProcess: './hang.sh',
      envVars: { exec_timeout: '500ms' },
      code_archive: code.toString('base64'),
    });
    await faas.ready('hangs');
    const late = await faas.call('/function/hangs');
    expect([late.status, late.text, late.headers.get('x-openfaas-internal')]).toEqual([
      504,
      '',
      'of-watchdog',
    ]);
    const { allPids, readProc } = await import('./support/processes.js');
    await eventually(
      () => !allPids().some((pid) => readProc(pid, 'cmdline').includes(`sleep\0${marker}`)),
      'what it started is gone',
    );
  });

  it('is logged in the words of the watchdogs, and the log ends by itself unless it is followed', async () => {
    await faas.call('/function/cat', { body: 'abc' });
    const { text, headers } = await faas.system('GET', 'logs?name=cat&namespace=openfaas-fn&follow=false');
    expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const said = lines.map((line: { text: string }) =>
      line.text.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, ''),
    );
    expect(said).toContain('Forking fprocess.');
    expect(said.some((line: string) => /^Wrote 3 Bytes - Duration: [\d.]+s$/.test(line))).toBe(true);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(['name', 'namespace', 'instance', 'timestamp', 'text']);
      expect(line).toMatchObject({ name: 'cat', namespace: 'openfaas-fn' });
    }
    expect((await faas.system('GET', 'logs?name=cat&tail=1')).text.trimEnd().split('\n')).toHaveLength(1);
    expect((await faas.system('GET', 'logs?name=cat&since=2999-01-01T00:00:00Z')).text).toBe('');
    expect(await faas.system('GET', 'logs?name=ghost')).toMatchObject({ status: 200, text: '' });
    expect(await faas.system('GET', 'logs?name=cat&tail=abc')).toMatchObject({
      status: 500,
      text: 'unknown log request error (422)\n',
    });
    const following = await fetch(`${server.platform.url}/system/logs?name=cat&follow=true&tail=1`);
    const reader = following.body?.pipeThrough(new TextDecoderStream()).getReader();
    let heard = '';
    await faas.call('/function/cat', { body: 'abcd' });
    while (!heard.includes('Wrote 4 Bytes')) heard += (await reader?.read())?.value ?? '';
    await reader?.cancel();
  });
});

describe('a program that serves HTTP', () => {
  it('is one process for all requests, and redirects are passed on', async () => {
    const replies = await Promise.all([1, 2, 3].map((n) => faas.call(`/function/http/x${n}?y=1`)));
    expect(replies.map(({ text }) => text)).toEqual(['POST /x1?y=1', 'POST /x2?y=1', 'POST /x3?y=1']);
    expect(new Set(replies.map(({ headers }) => headers.get('x-pid'))).size).toBe(1);
    expect(replies[0]?.headers.get('x-got')).toBe(replies[0]?.headers.get('x-call-id'));
    const redirect = await fetch(`${server.platform.url}/function/http/go`, { redirect: 'manual' });
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, '/there']);
  });

  it('may stream to whoever accepts a stream, piece by piece, also when it breaks off', async () => {
    const accept = { headers: { Accept: 'text/event-stream' } };
    const response = await fetch(`${server.platform.url}/function/http/stream`, accept);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('x-call-id')).toMatch(/^[0-9a-f-]{36}$/);
    const pieces: string[] = [];
    for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) pieces.push(piece);
    expect(pieces).toEqual(['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n']);
    const { status } = await fetch(`${server.platform.url}/function/http/x`, { method: 'HEAD', ...accept });
    expect(status).toBe(200);
    const broken = await fetch(`${server.platform.url}/function/http/stream?break`, accept);
    await expect(broken.text()).rejects.toThrow();
    const gone = new AbortController();
    const left = await fetch(`${server.platform.url}/function/http/stream`, {
      ...accept,
      signal: gone.signal,
    });
    gone.abort();
    await expect(left.text()).rejects.toThrow();
    const whole = await faas.call('/function/http/stream', { headers: { Accept: '*/*' } });
    expect(whole.text).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
    // Missing before the stream has begun is told as ever.
    expect((await faas.call('/function/ghost', accept)).status).toBe(404);
    expect((await faas.call('/function/http')).status).toBe(200);
  });

  it('that drops a connection is a 500 of the watchdog', async () => {
    const { status, headers } = await faas.call('/function/http/die');
    expect([status, headers.get('x-openfaas-internal')]).toEqual([500, 'of-watchdog']);
  });

  it('has the time of exec_timeout, and X-Timeout may only shorten it', async () => {
    const sleep = (headers?: Record<string, string>) =>
      faas.call('/function/http/sleep', { ...(headers !== undefined && { headers }) });
    for (const headers of [undefined, { 'X-Timeout': '200ms' }]) {
      const late = await sleep(headers);
      expect([late.status, late.text, late.headers.get('x-openfaas-internal')]).toEqual([
        504,
        '',
        'of-watchdog',
      ]);
      await faas.ready('http');
    }
    for (const timeout of ['10h', 'abc', '-1s'])
      expect((await faas.call('/function/http', { headers: { 'X-Timeout': timeout } })).status).toBe(200);
  });

  it('is told apart from others by max_inflight: one request more is a 429', async () => {
    await faas.deploy(
      upstream({ service: 'narrow', labels: { 'com.openfaas.scale.max': '1' } }, { max_inflight: '1' }),
    );
    await faas.ready('narrow');
    const slow = { headers: { 'X-Slow': '800' } };
    const replies = await Promise.all([1, 2, 3].map(() => faas.call('/function/narrow', slow)));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 429, 429]);
    const refused = replies.find(({ status }) => status === 429);
    expect(refused?.text).toBe('Concurrent request limit exceeded. Max concurrent requests: 1\n');
    expect(refused?.headers.get('x-openfaas-internal')).toBe('faas-middleware');
  });
});

describe('functions that are not there', () => {
  it.each(['ghost', 'cat.nons', '.openfaas-fn', 'a.b.c'])(
    'a call of %s is a 404 in the words of the gateway',
    async (target) => {
      const { status, text } = await faas.call(`/function/${target}`);
      const [, name, namespace] = /^(.+?)(?:\.([^.]*))?$/.exec(target) ?? [];
      expect(status).toBe(404);
      expect(text).toMatch(
        /^error finding function .*: server returned non-200 status code \(404\) for function, /,
      );
      if (target !== '.openfaas-fn' && target !== 'a.b.c')
        expect(text).toContain(`${name}.${namespace ?? 'openfaas-fn'}:`);
    },
  );

  it('cannot be called asynchronously either, unless the platform was told to act as OpenFaaS does', async () => {
    expect((await faas.call('/async-function/ghost')).status).toBe(404);
    await using lenient = await testPlatform({ openfaas: { acceptUnknownAsync: true } });
    const other = openFaasClient(lenient);
    const { status, headers } = await other.call('/async-function/ghost', { body: 'x' });
    expect(status).toBe(202);
    const id = headers.get('x-call-id');
    await eventually(async () => {
      const { text } = await other.call(`/async-function/${id}`, { method: 'GET' });
      return JSON.parse(text).status === 'failed';
    }, 'the call has failed');
    const ended = JSON.parse((await other.call(`/async-function/${id}`, { method: 'GET' })).text);
    expect(ended).toMatchObject({ function: 'ghost.openfaas-fn', code: 'NOT_FOUND', function_status: 404 });
  });
});
