import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type E2eClient, e2eClient, NODE, PYTHON } from './support/e2e.js';
import { type TestPlatform, testPlatform } from './support/platform.js';
import { hasPython } from './support/python.js';
import { zip } from './support/zip.js';

let server: TestPlatform;
let e2e: E2eClient;

beforeAll(async () => {
  server = await testPlatform();
  e2e = e2eClient(server);
});
afterAll(() => server[Symbol.asyncDispose]());

const json = { 'Content-Type': 'application/json' };

describe.runIf(hasPython)('a Python handler', () => {
  beforeAll(async () => {
    const code_inline = `
import asyncio, json

def handle(event, context):
    if event.path == "/raise":
        raise ValueError("no good")
    if event.path == "/dict":
        return {"statusCode": 201, "body": {"a": 1}, "headers": {"X-Own": "yes"}}
    if event.path == "/none":
        return None
    if event.path == "/bytes":
        return {"body": bytes(range(256)), "headers": {"Content-Type": "application/octet-stream"}}
    if event.path == "/redirect":
        return {"statusCode": 302, "headers": {"Location": "https://example.org/"}}
    print("was asked for", event.path)
    return {"body": {"method": event.method, "path": event.path, "q": event.query.get("q"),
                     "all": event.query.getlist("q"), "body": event.body.decode(),
                     "header": event.headers.get("X-Custom"), "hostname": context.hostname}}
`;
    await e2e.create({ name: 'python', runtime: PYTHON, code_inline });
    await e2e.create({
      name: 'py-async',
      runtime: PYTHON,
      template: 'fastapi',
      handler_function: 'answer',
      code_inline: 'async def answer(event, context):\n    return "async " + event.method\n',
    });
  });

  it('gets method, path, query, headers and the body as bytes', async () => {
    const reply = await e2e.ask('python', {
      method: 'PUT',
      path: 'a/b?q=1&q=%C3%A4',
      body: 'ü',
      headers: { 'x-custom': 'seen' },
    });
    expect(reply.headers.get('content-type')).toBe('application/json');
    expect(JSON.parse(reply.text)).toMatchObject({
      method: 'PUT',
      path: '/a/b',
      q: '1',
      all: ['1', 'ä'],
      body: 'ü',
      header: 'seen',
    });
  });

  it('answers with status, headers, JSON, bytes, a redirect or nothing', async () => {
    const made = await e2e.ask('python', { path: 'dict' });
    expect([made.status, made.text, made.headers.get('x-own')]).toEqual([201, '{"a": 1}', 'yes']);
    expect(await e2e.ask('python', { path: 'none' })).toMatchObject({ status: 200, text: '' });
    const { bytes } = await server.requestBytes('POST', '/faas/function/v1/python.e2e-faas-local/bytes');
    expect([...bytes]).toEqual(Array.from({ length: 256 }, (_, value) => value));
    const redirect = await fetch(`${server.platform.url}/faas/function/v1/python.e2e-faas-local/redirect`, {
      redirect: 'manual',
    });
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, 'https://example.org/']);
  });

  it('may be async and have another name', async () => {
    expect((await e2e.ask('py-async', { method: 'PATCH' })).text).toBe('async PATCH');
  });

  it('that raises answers 500 with the error, and its traceback is in the log', async () => {
    expect(await e2e.ask('python', { path: 'raise' })).toMatchObject({
      status: 500,
      text: 'ValueError: no good',
    });
    const { body } = await e2e.api('GET', '/functions/python.e2e-faas-local/logs?tail=1000');
    const messages = body.logs.map(({ message }: { message: string }) => message);
    expect(messages).toContain('was asked for /a/b');
    expect(messages.join('\n')).toMatch(/Traceback[\s\S]*raise ValueError/);
  });

  it('serves several requests at once', async () => {
    const code_inline = `
import threading
meeting = threading.Barrier(3, timeout=20)
def handle(event, context):
    meeting.wait()
    return "met"
`;
    await e2e.create({ name: 'py-meets', runtime: PYTHON, code_inline });
    const replies = await Promise.all([1, 2, 3].map(() => e2e.ask('py-meets')));
    expect(replies.map(({ text }) => text)).toEqual(['met', 'met', 'met']);
  });
});

describe('a Node handler', () => {
  beforeAll(async () => {
    const code_inline = `
module.exports = async (event, context) => {
  switch (event.path) {
    case '/fail': return context.fail('went wrong');
    case '/status': return context.status(418).headers({ 'X-Own': 'yes' }).succeed('teapot');
    case '/throw': throw new RangeError('too far');
    case '/return': return { returned: true };
    case '/buffer': return context.succeed(Buffer.from([0, 1, 255]));
    default: return context.succeed({ ...event, type: typeof event.body });
  }
};`;
    await e2e.create({ name: 'script', code_inline });
  });

  it('gets JSON and forms parsed, and text as text', async () => {
    const ask = async (body: string, headers: Record<string, string>) =>
      JSON.parse((await e2e.ask('script', { path: 'x?a=1&a=2&b=', body, headers })).text);
    expect(await ask('{"n":1}', json)).toMatchObject({
      body: { n: 1 },
      method: 'POST',
      path: '/x',
      query: { a: ['1', '2'], b: '' },
    });
    expect((await ask('a=1&b=x+y', { 'Content-Type': 'application/x-www-form-urlencoded' })).body).toEqual({
      a: '1',
      b: 'x y',
    });
    expect(await ask('plain', { 'Content-Type': 'text/plain' })).toMatchObject({
      body: 'plain',
      type: 'string',
    });
  });

  it('answers by succeed, fail, a status, a returned value or an error', async () => {
    expect(await e2e.ask('script', { path: 'fail' })).toMatchObject({ status: 500, text: 'went wrong' });
    const teapot = await e2e.ask('script', { path: 'status' });
    expect([teapot.status, teapot.text, teapot.headers.get('x-own')]).toEqual([418, 'teapot', 'yes']);
    expect(await e2e.ask('script', { path: 'throw' })).toMatchObject({
      status: 500,
      text: 'RangeError: too far',
    });
    expect(await e2e.ask('script', { path: 'return' })).toMatchObject({
      status: 200,
      text: '{"returned":true}',
    });
    const { bytes } = await server.requestBytes('GET', '/faas/function/v1/script.e2e-faas-local/buffer');
    expect([...bytes]).toEqual([0, 1, 255]);
  });

  it.each([
    ['a default export', 'export default async () => "default";', 'default', {}],
    ['a named one', 'exports.answer = async () => "named";', 'named', { handler_function: 'answer' }],
    ['a callback', '(module.exports = (event, context, done) => done(null, "called"));', 'called', {}],
  ])('may be %s', async (what, code_inline, expected, more) => {
    const name = `js-${what.replaceAll(' ', '-')}`;
    await e2e.create({ name, code_inline, ...more });
    expect((await e2e.ask(name)).text).toBe(expected);
  });

  it('finds its file in function/, or as the only one there is', async () => {
    const of = (path: string, text: string): string =>
      zip([{ name: path, content: `module.exports = async () => ${JSON.stringify(text)};` }]).toString(
        'base64',
      );
    await e2e.create({ name: 'in-folder', code_archive: of('function/handler.js', 'folder') });
    await e2e.create({ name: 'only-file', code_archive: of('greet.js', 'only') });
    expect([(await e2e.ask('in-folder')).text, (await e2e.ask('only-file')).text]).toEqual([
      'folder',
      'only',
    ]);
    const none = await e2e.api('POST', '/functions', {
      name: 'no-file',
      runtime: NODE,
      code_archive: of('readme.txt', ''),
    });
    expect([none.status, none.body.code]).toEqual([422, 'INVALID_PACKAGE']);
  });
});

describe('the limits of a function', () => {
  it('its time: 504, and whoever comes next is not disturbed by what goes on', async () => {
    const code_inline = `module.exports = async (event, context) => {
      if (event.path === '/spin') for (;;);
      context.succeed('ok');
    };`;
    const { id } = await e2e.create({ name: 'spins', code_inline, config: { timeout_seconds: 1 } });
    const late = await e2e.ask('spins', { path: 'spin' });
    expect([late.status, JSON.parse(late.text)]).toMatchObject([504, { code: 'TIMEOUT', executed: 'yes' }]);
    expect((await e2e.ask('spins')).text).toBe('ok');
    const { body } = await e2e.api('GET', `/functions/${id}/metrics`);
    expect(body).toMatchObject({ invocation_count: 2, failure_count: 1, timeout_count: 1, in_flight: 0 });
  });

  it("the caller's own time, when it is shorter", async () => {
    await e2e.create({
      name: 'sleeps',
      code_inline: 'module.exports = () => new Promise((r) => setTimeout(r, 20000));',
    });
    expect((await e2e.ask('sleeps', { headers: { 'x-faas-timeout-ms': '300' } })).status).toBe(504);
  });

  it('its memory: the instance ends, and the answer says why', async () => {
    const code_inline = `
def handle(event, context):
    if event.path == "/eat":
        food = [bytearray(b"x" * 1048576) for _ in range(400)]
        import time
        time.sleep(5)
    return "fed"
`;
    await e2e.create({ name: 'eats', runtime: PYTHON, code_inline, config: { memory_mb: 128 } });
    const died = await e2e.ask('eats', { path: 'eat' });
    expect([died.status, JSON.parse(died.text).code]).toEqual([500, 'OUT_OF_MEMORY']);
    expect((await e2e.ask('eats')).text).toBe('fed');
  });

  it.each([
    [NODE, 'module.exports = async () => "small";'],
    [PYTHON, 'def handle(event, context):\n    return "small"\n'],
  ])('the least memory is enough for a small one in %s', async (runtime, code_inline) => {
    const name = `small-${runtime.replaceAll('.', '-')}`;
    await e2e.create({ name, runtime, code_inline, config: { memory_mb: 64 } });
    const replies = await Promise.all(Array.from({ length: 50 }, () => e2e.ask(name)));
    expect(replies.every(({ text }) => text === 'small')).toBe(true);
  });
});
