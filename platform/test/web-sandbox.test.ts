import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { openSandbox } from '../src/runtimes/sandbox.js';
import { e2eClient, NODE, PYTHON } from './support/e2e.js';
import { openFaasClient } from './support/openfaas.js';
import { eventually, tempFolder, testPlatform } from './support/platform.js';
import { hasPython } from './support/python.js';
import { zip } from './support/zip.js';

const sandbox = await openSandbox();
const hasSandbox = typeof sandbox !== 'string';
if (!hasSandbox) console.log(`Not run: web functions inside a sandbox, since ${sandbox}.`);

describe.runIf(hasSandbox && hasPython)('web functions in the sandbox', () => {
  it('answer, read their secrets at the usual places, and reach nothing else', async () => {
    await using server = await testPlatform({ isolation: 'required' });
    const e2e = e2eClient(server);
    await e2e.api('POST', '/secrets', { name: 'db-password', value: 'hunter2' });
    const secrets = ['db-password'];
    await e2e.create({
      name: 'inside-python',
      runtime: PYTHON,
      secrets,
      code_inline: `
import os, socket
def can(what):
    try:
        what()
        return True
    except OSError:
        return False
def handle(event, context):
    return {"body": {
        "secret": open("/var/secrets/db-password").read() + open("/var/openfaas/secrets/db-password").read(),
        "env": os.environ["DB_PASSWORD"], "folder": os.environ["FAAS_SECRETS_DIR"],
        "writesSecret": can(lambda: open("/var/secrets/db-password", "w")),
        "writesCode": can(lambda: open("x", "w")),
        "writesHome": can(lambda: open(os.environ["HOME"] + "/x", "w")),
        "seesPlatform": os.path.exists(event.headers.get("X-Data")),
        "connects": can(lambda: socket.create_connection(("127.0.0.1", int(event.headers.get("X-Port"))), 2)),
    }}
`,
    });
    const reply = await e2e.ask('inside-python', {
      headers: { 'X-Data': join(server.dataDir, 'platform.sqlite'), 'X-Port': String(server.platform.port) },
    });
    expect(JSON.parse(reply.text)).toEqual({
      secret: 'hunter2hunter2',
      env: 'hunter2',
      folder: '/var/secrets',
      writesSecret: false,
      writesCode: false,
      writesHome: true,
      seesPlatform: false,
      connects: false,
    });
    await e2e.create({
      name: 'inside-node',
      runtime: NODE,
      code_inline: 'module.exports = async () => "in";',
    });
    expect((await e2e.ask('inside-node')).text).toBe('in');
  });
});

describe.runIf(hasSandbox)('programs in the sandbox', () => {
  it('serve HTTP on a network of their own: two at the same port', async () => {
    await using server = await testPlatform({ isolation: 'required' });
    const faas = openFaasClient(server);
    const code = `require('node:http').createServer((_, response) => response.end(String(process.pid)))
      .listen(3000, '127.0.0.1');`;
    await faas.system('POST', 'secrets', { name: 'token', value: 'hunter2' });
    await faas.deploy({
      service: 'same-port',
      envProcess: 'node server.js',
      envVars: { mode: 'http', upstream_url: 'http://127.0.0.1:3000' },
      labels: { 'com.openfaas.scale.min': '2' },
      code_archive: zip([{ name: 'server.js', content: code }]).toString('base64'),
    });
    await eventually(async () => (await faas.get('same-port')).availableReplicas === 2, 'both are ready');
    expect((await faas.call('/function/same-port')).status).toBe(200);
    await faas.deploy({
      service: 'shows',
      envProcess: 'cat /var/openfaas/secrets/token',
      secrets: ['token'],
    });
    await faas.ready('shows');
    expect((await faas.call('/function/shows')).text).toBe('hunter2');
  });
});

describe('a data folder that lies deep', () => {
  it('does not keep instances from being reached', async () => {
    const dataDir = join(await tempFolder(), ...Array.from({ length: 8 }, () => 'a-rather-long-name'));
    await mkdir(dataDir, { recursive: true });
    await using server = await testPlatform({ dataDir });
    const e2e = e2eClient(server);
    await e2e.create({
      name: 'deep',
      runtime: NODE,
      code_inline: 'module.exports = async () => "deep";',
    });
    expect((await e2e.ask('deep')).text).toBe('deep');
  });
});
