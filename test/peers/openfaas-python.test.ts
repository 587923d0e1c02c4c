/** `pythonHandler`, run by a real Python as the python3-http template runs it. Needs python3 on the PATH. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.js';
import { pythonHandler } from '../../src/executors/e2e-openfaas/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { callOf, failureOf, platformBench } from '../e2e-openfaas/setup.js';

const JOBS = `
import json

def job(data, call):
    if call["job_id"] == 2:
        raise ValueError("too far")
    if call["job_id"] == 3:
        return json.dumps(call, sort_keys=True).encode()
    return data[::-1]
`;

/** What the template does around `handle`: bytes in, `str(body)` out. */
const SERVER = `
import sys, json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import handler

class Event: pass

class Template(BaseHTTPRequestHandler):
    def do_POST(self):
        event = Event()
        event.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        event.headers, event.method, event.path, event.query = self.headers, "POST", self.path, {}
        reply = handler.handle(event, None)
        body = reply["body"]
        text = json.dumps(body) if isinstance(body, dict) else str(body)
        self.send_response(reply.get("statusCode", 200))
        for name, value in reply.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *args): pass

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Template).serve_forever()
`;

let folder: string;
let url: string;
let stop: () => void;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-python-'));
  await writeFile(join(folder, 'handler.py'), pythonHandler(JOBS));
  await writeFile(join(folder, 'server.py'), SERVER);
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  const child = spawn('python3', ['server.py', String(port)], { cwd: folder, stdio: 'inherit' });
  stop = () => child.kill('SIGKILL');
  url = `http://127.0.0.1:${port}/`;
  for (let tries = 0; ; tries += 1) {
    const isUp = await fetch(url, { method: 'POST', headers: { 'x-faas-warm': '0' } }).catch(() => undefined);
    if (isUp !== undefined) return;
    if (tries === 200) throw new Error('python3 did not answer');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

afterAll(async () => {
  stop?.();
  await rm(folder, { recursive: true, force: true });
});

/** The fake's functions are the Python process. */
async function bench() {
  const it = await platformBench({
    raw: () => ({ status: 500, body: 'never called' }),
  });
  const artifact = await packageFiles([{ path: 'handler.py', bytes: pythonHandler(JOBS) }]);
  for (const id of [1, 2, 3]) await it.executor.deployJob(id, artifact);
  for (const [id, found] of it.fake.functions) it.fake.functions.set(id, { ...found, elsewhere: url });
  return it;
}

describe('a Python job', () => {
  it('gets bytes and the facts of its call, and answers bytes', async () => {
    await using it = await bench();
    const { result, metrics } = await it.executor.invoke(
      callOf(1, { args: Uint8Array.of(0, 1, 255) }),
      callContext(),
    );
    expect([...result]).toEqual([255, 1, 0]);
    expect(metrics).toMatchObject({ executionMs: expect.any(Number), coldStart: expect.any(Boolean) });
    const call = callOf(3, { attempt: 4, metadata: { tenant: 'ö' } });
    const facts = await it.executor.invoke(call, callContext({ timeoutMs: 5000 }));
    expect(JSON.parse(Buffer.from(facts.result).toString())).toEqual({
      job_id: 3,
      call_id: call.callId,
      attempt: 4,
      timeout_ms: expect.any(Number),
      metadata: { tenant: 'ö' },
    });
    expect(facts.metadata).toEqual({ tenant: 'ö' });
  });

  it('that raises is a FUNCTION_ERROR with name, text and traceback', async () => {
    await using it = await bench();
    const error = await failureOf(it.executor.invoke(callOf(2), callContext()));
    expect(error).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'ValueError', message: 'too far', stack: expect.stringContaining('in job') },
    });
  });

  it('is warmed without being run', async () => {
    await using it = await bench();
    expect(await it.executor.warm(1, 2)).toBe(1);
  });
});
