import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { echo, node, sh, textOf } from './support/bootstraps.js';
import { type TestPlatform, testPlatform } from './support/platform.js';
import { zip } from './support/zip.js';

const BINARY = 'application/octet-stream';
const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

/** A bundle that declares the framing `binary-1`: a header line, then bytes, both ways. */
function binaryBundle(body: string): Buffer {
  const script = `#!/usr/bin/env node
const fs = require('node:fs');
const input = fs.readFileSync(0);
const end = input.indexOf(10);
const header = JSON.parse(input.subarray(0, end).toString('utf8'));
const args = input.subarray(end + 1);
const write = (text) => { for (let at = 0; at < text.length; ) at += fs.writeSync(1, text, at); };
const reply = (fields, bytes = Buffer.alloc(0)) =>
  write(Buffer.concat([Buffer.from(JSON.stringify({ success: true, result_length: bytes.length, ...fields }) + '\\n'), bytes]));
${body}
`;
  return zip([
    { name: 'bootstrap', content: script },
    { name: 'faas.json', content: '{"protocol":"binary-1"}' },
  ]);
}

describe('calls as bytes', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform({ limits: { maxArgsBytes: 2_000_000, maxResultBytes: 2_000_000 } });
    await server.deploy('echo', echo);
    await server.deploy('job9', echo);
    await server.deploy('raw', binaryBundle('reply({ metadata: header.metadata }, args);'));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const call = (path: string, body: Buffer, headers: Record<string, string> = {}) =>
    server.requestBytes('POST', path, {
      body,
      headers: { 'Content-Type': BINARY, Accept: BINARY, 'X-Faas-Job-Id': '7', ...headers },
    });

  it.each(['echo', 'raw'])('go in and come out unchanged (%s)', async (id) => {
    for (const bytes of [Buffer.alloc(0), EVERY_BYTE, Buffer.alloc(1_500_000, 0xfe)]) {
      const {
        status,
        headers,
        bytes: result,
      } = await call(`/api/functions/${id}/invoke`, bytes, {
        'X-Faas-Call-Id': 'call-1',
      });
      expect(status).toBe(200);
      expect(result.equals(bytes)).toBe(true);
      expect(headers.get('content-type')).toBe(BINARY);
      expect(headers.get('x-faas-job-id')).toBe('7');
      expect(headers.get('x-faas-call-id')).toBe('call-1');
      expect(Number(headers.get('x-faas-execution-ms'))).toBeGreaterThan(0);
      expect(headers.get('x-faas-cold-start')).toMatch(/^(true|false)$/);
      expect(headers.get('x-faas-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('carry metadata in and out in headers', async () => {
    const metadata = Buffer.from(JSON.stringify({ tenant: 'ä' })).toString('base64url');
    const { headers } = await call('/api/functions/raw/invoke', EVERY_BYTE, { 'X-Faas-Metadata': metadata });
    expect(JSON.parse(Buffer.from(headers.get('x-faas-metadata') ?? '', 'base64url').toString())).toEqual({
      tenant: 'ä',
    });
    expect((await call('/api/functions/echo/invoke', EVERY_BYTE)).headers.get('x-faas-metadata')).toBeNull();
  });

  it('may be answered as JSON, and JSON may be answered as bytes', async () => {
    const asJson = await call('/api/functions/echo/invoke', EVERY_BYTE, { Accept: '*/*' });
    const body = JSON.parse(asJson.bytes.toString());
    expect(body).toMatchObject({ job_id: 7, success: true, result: [...EVERY_BYTE] });
    const asBytes = await server.requestBytes('POST', '/api/functions/echo/invoke', {
      body: '{"job_id":3,"args":[0,255]}',
      headers: { 'Content-Type': 'application/json', Accept: BINARY },
    });
    expect([...asBytes.bytes]).toEqual([0, 255]);
    expect(asBytes.headers.get('x-faas-job-id')).toBe('3');
  });

  it.each([
    [`${BINARY}, application/json`, true],
    [`application/json, ${BINARY}`, false],
    [`application/json;q=0.5, ${BINARY}`, true],
    [`${BINARY};q=0.5, application/json`, false],
    [`${BINARY};q=0`, false],
    ['*/*', false],
  ])('Accept: %s asks for bytes: %s', async (accept, isBinary) => {
    const { headers } = await call('/api/functions/echo/invoke', EVERY_BYTE, { Accept: accept });
    expect(headers.get('content-type') === BINARY).toBe(isBinary);
  });

  it('take the job from the path on /job/{n}', async () => {
    const { status, headers } = await server.requestBytes('POST', '/job/9', {
      body: EVERY_BYTE,
      headers: { 'Content-Type': BINARY, Accept: BINARY },
    });
    expect([status, headers.get('x-faas-job-id')]).toEqual([200, '9']);
  });

  it.each([undefined, '', '-1', '1.5', '4294967296', 'seven'])('need a job id; %j is none', async (jobId) => {
    const { status, bytes } = await server.requestBytes('POST', '/api/functions/echo/invoke', {
      body: EVERY_BYTE,
      headers: { 'Content-Type': BINARY, ...(jobId !== undefined && { 'X-Faas-Job-Id': jobId }) },
    });
    expect(status).toBe(400);
    expect(JSON.parse(bytes.toString())).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
  });

  it('are answered with JSON when they fail', async () => {
    await server.deploy('fails', sh('exit 3'));
    const { status, headers, bytes } = await call('/api/functions/fails/invoke', EVERY_BYTE);
    expect([status, headers.get('content-type')]).toEqual([500, 'application/json']);
    expect(JSON.parse(bytes.toString())).toMatchObject({
      code: 'FUNCTION_ERROR',
      success: false,
      details: { exit_code: 3 },
    });
  });

  it('are 413 above the limit of args', async () => {
    expect((await call('/api/functions/echo/invoke', Buffer.alloc(2_000_001))).status).toBe(413);
  });
});

describe('a bundle that declares binary-1', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function run(name: string, body: string) {
    expect((await server.deploy(name, binaryBundle(body))).status).toBe(200);
    return server.invoke(name, [1, 2, 3], { 'X-Faas-Call-Id': 'the-call', 'X-Faas-Attempt': '2' });
  }

  it('gets the call without args in the header line, and their length', async () => {
    const { body } = await run('header', 'reply({}, Buffer.from(JSON.stringify(header)));');
    const header = JSON.parse(textOf(body.result));
    expect(header).toMatchObject({
      job_id: 7,
      call_id: 'the-call',
      attempt: 2,
      metadata: {},
      args_length: 3,
    });
    expect(header).not.toHaveProperty('args');
  });

  it('may answer with JSON all the same', async () => {
    const { body } = await run('json', `write(Buffer.from('{"result":[4,2]}'));`);
    expect(body).toMatchObject({ success: true, result: [4, 2] });
  });

  it('reports a failure in the header line', async () => {
    const { status, body } = await run(
      'failing',
      `reply({ success: false, result_length: undefined, error: 'no luck', error_name: 'BadDay' });`,
    );
    expect(status).toBe(500);
    expect(body).toMatchObject({ code: 'FUNCTION_ERROR', error: 'no luck', details: { name: 'BadDay' } });
  });

  it.each([
    ['prints nothing', '', 'stdout is empty'],
    ['prints no JSON', `write(Buffer.from('hello\\n'));`, 'stdout is not one JSON object'],
    ['prints a list', `write(Buffer.from('[]\\n'));`, 'stdout is not one JSON object'],
    ['sends text as a length', `reply({ result_length: '3' }, args);`, '"result_length" is not a number'],
    [
      'promises more than it sends',
      `reply({ result_length: 4 }, args);`,
      '"result_length" is 4, but 3 bytes follow',
    ],
    [
      'sends more than it promises',
      `reply({ result_length: 2 }, args);`,
      '"result_length" is 2, but 3 bytes follow',
    ],
    [
      'sends without a promise',
      `reply({ result_length: undefined }, args);`,
      'stdout is not one JSON object',
    ],
    ['has no result', `write(Buffer.from('{"success":true}\\n'));`, '"result" is missing'],
    [
      'sends too much metadata',
      `reply({ metadata: { a: 'x'.repeat(9000) } });`,
      '"metadata" is larger than 8192',
    ],
  ])('that %s is BAD_OUTPUT', async (what, body, reason) => {
    const reply = await run(`bad-${what.replaceAll(' ', '-').toLowerCase()}`, body);
    expect([reply.status, reply.body.code, reply.body.executed]).toEqual([500, 'BAD_OUTPUT', 'yes']);
    expect(reply.body.error).toContain(reason);
  });

  it('may not name a protocol this platform does not know', async () => {
    const bundle = (manifest: string) =>
      zip([
        { name: 'bootstrap', content: node('reply([]);') },
        { name: 'faas.json', content: manifest },
      ]);
    for (const manifest of ['{"protocol":"binary-2"}', '{', '[]']) {
      const { status, body } = await server.deploy('unknown', bundle(manifest));
      expect([status, body.code]).toEqual([400, 'INVALID_PACKAGE']);
      expect(body.error).toContain('faas.json');
    }
    expect((await server.deploy('plain', bundle('{"name":"x"}'))).status).toBe(200);
    expect((await server.invoke('plain')).status).toBe(200);
  });
});
