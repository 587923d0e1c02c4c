import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createKey } from '../src/index.js';
import { type OpenFaasClient, openFaasClient } from './support/openfaas.js';
import { clientOf, eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';
import { zip } from './support/zip.js';

let server: TestPlatform;
let faas: OpenFaasClient;

beforeAll(async () => {
  server = await testPlatform({ openfaas: { namespaces: ['openfaas-fn', 'certifier-test'] } });
  faas = openFaasClient(server);
});
afterAll(() => server[Symbol.asyncDispose]());

describe('the OpenFaaS door', () => {
  it('says it is there, what it is, and starts empty', async () => {
    expect(await faas.call('/healthz', { method: 'GET' })).toMatchObject({ status: 200, text: '' });
    const info = JSON.parse((await faas.system('GET', 'info')).text);
    expect(info.provider).toMatchObject({ provider: 'jobferry', orchestration: 'process' });
    for (const { sha, release } of [info.provider.version, info.version]) {
      expect(sha).toMatch(/^[0-9a-f]{12}$/);
      expect(release).toMatch(/^\d+\.\d+\.\d+/);
    }
    expect((await faas.system('GET', 'functions')).text).toBe('[]');
    expect((await faas.system('GET', 'secrets')).text).toBe('[]');
    expect(JSON.parse((await faas.system('GET', 'namespaces')).text)).toEqual([
      'openfaas-fn',
      'certifier-test',
    ]);
    const namespace = await faas.system('GET', 'namespace/foo');
    expect([namespace.status, namespace.text]).toEqual([
      501,
      'Feature not implemented in this version of OpenFaaS\n',
    ]);
  });

  it.each([undefined, 'certifier-test'])(
    'gives back what was deployed, in the namespace %s',
    async (namespace) => {
      const deployment = {
        service: 'meta',
        image: 'functions/alpine:latest',
        envProcess: 'cat',
        envVars: { A: '1' },
        constraints: ['node.role==worker'],
        labels: { team: 'x', when: 'Fri Aug 10 08:21:00 BST 2018' },
        annotations: { note: '{\n  "a": 1\n}' },
        limits: { memory: '5Mi', cpu: '100m' },
        ...(namespace !== undefined && { namespace }),
      };
      expect(await faas.system('POST', 'functions', deployment)).toMatchObject({ status: 202, text: '' });
      const where = namespace === undefined ? '' : `?namespace=${namespace}`;
      const listed = JSON.parse((await faas.system('GET', `functions${where}`)).text);
      const read = JSON.parse((await faas.system('GET', `function/meta${where}`)).text);
      for (const status of [listed[0], read]) {
        expect(status).toMatchObject({
          name: 'meta',
          image: 'functions/alpine:latest',
          namespace: namespace ?? 'openfaas-fn',
          envProcess: 'cat',
          envVars: { A: '1' },
          constraints: ['node.role==worker'],
          labels: { ...deployment.labels, faas_function: 'meta' },
          annotations: deployment.annotations,
          limits: { memory: '5Mi', cpu: '100m' },
          replicas: 1,
        });
        expect(status).not.toHaveProperty('requests');
        expect(status).not.toHaveProperty('secrets');
        expect(status).not.toHaveProperty('invocationCount');
        expect(Date.parse(status.createdAt)).toBeGreaterThan(0);
      }
      expect(listed).toHaveLength(1);
      const removal = { functionName: 'meta', ...(namespace !== undefined && { namespace }) };
      expect(await faas.system('DELETE', 'functions', removal)).toMatchObject({ status: 202, text: '' });
      expect((await faas.system('GET', `functions${where}`)).text).toBe('[]');
    },
  );

  it('is deployed to as faas-cli does: PUT, which is 404 for what is not there, then POST', async () => {
    const deployment = { service: 'cli-fn', image: 'i', envProcess: 'cat' };
    const missing = await faas.system('PUT', 'functions', deployment);
    expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'text/plain; charset=utf-8']);
    expect((await faas.system('POST', 'functions', deployment)).status).toBe(202);
    expect((await faas.system('PUT', 'functions', { ...deployment, labels: { a: 'b' } })).status).toBe(202);
    expect((await faas.get('cli-fn')).labels).toEqual({ a: 'b', faas_function: 'cli-fn' });
    const again = await faas.system('POST', 'functions', deployment);
    expect([again.status, again.text]).toEqual([
      409,
      'unable create function: cli-fn.openfaas-fn already exists\n',
    ]);
    await faas.ready('cli-fn');
    expect((await faas.system('DELETE', 'functions', { functionName: 'cli-fn' })).status).toBe(202);
    expect((await faas.system('DELETE', 'functions', { functionName: 'cli-fn' })).status).toBe(404);
    expect(await faas.system('GET', 'function/cli-fn?usage=1')).toMatchObject({ status: 404, text: '' });
  });

  it.each([
    [{ image: 'i', envProcess: 'cat' }, 'validation failed: service: is required'],
    [
      { service: 'Bad_Name', image: 'i' },
      'validation failed: service: (Bad_Name) is invalid, must be a valid DNS entry',
    ],
    [{ service: 'x' }, 'validation failed: image: is required'],
    [
      { service: 'x', image: 'i', envProcess: 'cat', secrets: ['nope'] },
      'unable to fetch secrets: secrets "nope" not found',
    ],
    [{ service: 'x', image: 'docker.example/app' }, /^image: docker\.example\/app cannot be run/],
    [{ service: 'x', image: 'node20' }, 'image: node20 runs the code in code_archive, and there is none'],
    [{ service: 'x', image: 'i', envProcess: 'cat', namespace: 'other' }, /^namespace other is not one/],
    [{ service: 'x', image: 'i', envProcess: 'cat', limits: { memory: 'much' } }, /^limits\.memory/],
    [
      { service: 'x', image: 'i', envProcess: 'cat', envVars: { exec_timeout: '2h' } },
      /^envVars\.exec_timeout/,
    ],
    [{ service: 'x', image: 'i', envProcess: 'cat', envVars: { max_inflight: 'x' } }, /max_inflight/],
    [{ service: 'x', image: 'i', envProcess: 'cat', envVars: { FAAS_X: '1' } }, /FAAS_X/],
    [{ service: 'x', image: 'i', envProcess: 'cat', labels: { a: 1 } }, /^labels must be/],
    [
      { service: 'x', image: 'i', envProcess: 'cat', labels: { 'com.openfaas.scale.min': '-1' } },
      /scale\.min/,
    ],
  ])('refuses %j with the reason, as text', async (deployment, expected) => {
    const { status, text, headers } = await faas.system('POST', 'functions', deployment);
    expect([status, headers.get('x-content-type-options')]).toEqual([400, 'nosniff']);
    if (typeof expected === 'string') expect(text).toBe(`${expected}\n`);
    else expect(text).toMatch(expected);
  });

  it('a program that is not there: the function is not ready, and says why', async () => {
    await faas.deploy({ service: 'no-program', envProcess: 'no-such-program --x' });
    await eventually(async () => (await faas.get('no-program')).state === 'failed', 'it has failed');
    const status = await faas.get('no-program');
    expect(status.reason).toBe('there is no program "no-such-program" on this machine');
    expect(status).not.toHaveProperty('availableReplicas');
    const call = await faas.call('/function/no-program');
    expect([call.status, call.headers.get('x-openfaas-internal')]).toEqual([503, 'proxy']);
    expect(call.text).toContain('no-such-program');
    await faas.system('DELETE', 'functions', { functionName: 'no-program' });
  });

  it('code may come along, without any registry', async () => {
    const code = zip([
      { name: 'run.sh', content: '#!/bin/sh\nread word\necho "got $word"\n', mode: 0o100755 },
    ]);
    await faas.deploy({
      service: 'uploaded',
      image: 'none',
      envProcess: './run.sh',
      code_archive: code.toString('base64'),
    });
    await faas.ready('uploaded');
    expect((await faas.call('/function/uploaded', { body: 'it\n' })).text).toBe('got it\n');
    const path = 'module.exports = async (event) => event.path;';
    const handler = zip([{ name: 'handler.js', content: path }]);
    await faas.deploy({ service: 'managed', image: 'node20', code_archive: handler.toString('base64') });
    await faas.ready('managed');
    expect((await faas.call('/function/managed/a/b')).text).toBe('/a/b');
    for (const functionName of ['uploaded', 'managed'])
      await faas.system('DELETE', 'functions', { functionName });
  });

  it.each([
    ['GET', '/system/nothing', 404, '404 page not found\n'],
    ['GET', '/system/telemetry', 404, '404 page not found\n'],
    ['GET', '/system/function/no%20pe', 404, '404 page not found\n'],
    ['GET', '/system/__proto__', 404, '404 page not found\n'],
    ['PATCH', '/system/functions', 405, ''],
    ['GET', '/system/scale-function/x', 405, ''],
    ['PATCH', '/system/secrets', 405, ''],
    ['PUT', '/async-function/x', 405, ''],
  ])('%s %s is answered %i', async (method, path, status, text) => {
    expect(await faas.call(path, { method })).toMatchObject({ status, text });
  });

  it('bodies that are no JSON', async () => {
    const send = (method: string, path: string) => faas.call(`/system/${path}`, { method, body: '{oops' });
    expect((await send('POST', 'functions')).text).toMatch(/^failed to unmarshal request: /);
    expect(await send('POST', 'scale-function/x')).toMatchObject({
      status: 400,
      text: 'Error unmarshalling request body\n',
    });
    expect(await send('POST', 'secrets')).toMatchObject({ status: 400, text: '' });
    expect(await send('DELETE', 'functions')).toMatchObject({ status: 400, text: '' });
    expect(await send('POST', 'alert')).toMatchObject({
      status: 400,
      text: 'Unable to parse alert, bad format.',
    });
    expect(await faas.system('DELETE', 'functions', { functionName: '' })).toMatchObject({ status: 400 });
  });
});

describe('secrets of the OpenFaaS door', () => {
  it('are made, listed by name, changed and removed, with the statuses that faas-cli takes', async () => {
    const secrets = (method: string, body?: object) => faas.system(method, 'secrets', body);
    expect(await secrets('POST', { name: 's1', value: 'v1' })).toMatchObject({ status: 202, text: '' });
    expect(await secrets('POST', { name: 's1', value: 'v1' })).toMatchObject({ status: 409, text: '' });
    expect((await secrets('POST', { name: 's2', rawValue: 'AAEC' })).status).toBe(202);
    expect((await secrets('POST', { name: 'Bad Name', value: 'x' })).status).toBe(422);
    expect((await secrets('POST', { value: 'x' })).status).toBe(400);
    expect(JSON.parse((await secrets('GET')).text)).toEqual([
      { name: 's1', namespace: 'openfaas-fn' },
      { name: 's2', namespace: 'openfaas-fn' },
    ]);
    expect((await secrets('PUT', { name: 's1', value: 'v2' })).status).toBe(202);
    expect(await secrets('PUT', { name: 'zz', value: 'v' })).toMatchObject({ status: 404, text: '' });
    expect((await secrets('DELETE', { name: 's1' })).status).toBe(202);
    expect(await secrets('DELETE', { name: 's1' })).toMatchObject({ status: 404, text: '' });
    await secrets('DELETE', { name: 's2' });
  });

  it('are files with exactly their bytes, also after a change, and no variables', async () => {
    await faas.system('POST', 'secrets', {
      name: 'raw',
      rawValue: Buffer.from([0, 255, 10]).toString('base64'),
    });
    await faas.deploy({
      service: 'reads',
      envProcess: './show.sh',
      secrets: ['raw'],
      code_archive: zip([
        {
          name: 'show.sh',
          content: '#!/bin/sh\nenv | grep -c RAW; cat "$FAAS_SECRETS_DIR/raw"\n',
          mode: 0o100755,
        },
      ]).toString('base64'),
    });
    await faas.ready('reads');
    const read = async () => (await server.requestBytes('POST', '/function/reads')).bytes;
    expect([...(await read())]).toEqual([...Buffer.from('0\n'), 0, 255, 10]);
    await faas.system('PUT', 'secrets', { name: 'raw', value: 'new' });
    await eventually(async () => (await read()).toString() === '0\nnew', 'the new value is there');
    expect((await faas.system('DELETE', 'secrets', { name: 'raw' })).text).toBe(
      'secret raw is used by reads\n',
    );
    await faas.system('DELETE', 'functions', { functionName: 'reads' });
    expect((await faas.system('DELETE', 'secrets', { name: 'raw' })).status).toBe(202);
  });
});

describe('keys at the OpenFaaS door', () => {
  it('are the password of any user, or a bearer token; what OpenFaaS keeps open needs one too, but for /healthz', async () => {
    const dataDir = await tempFolder();
    const { key } = await createKey({ dataDir, name: 'admin' });
    await using guarded = await testPlatform({ dataDir, requireKey: true });
    const client = clientOf(guarded.platform.url);
    const ask = async (path: string, authorization?: string) => {
      const headers = authorization === undefined ? {} : { Authorization: authorization };
      const { status, headers: replied, bytes } = await client.requestBytes('GET', path, { headers });
      return { status, challenge: replied.get('www-authenticate'), text: bytes.toString() };
    };
    const basic = (password: string) => `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
    for (const path of ['functions', 'info', 'secrets', 'logs?name=a', 'namespaces', 'nothing'])
      for (const authorization of [undefined, basic('wrong'), 'Bearer nonsense', 'Basic %%%'])
        expect(await ask(`/system/${path}`, authorization)).toEqual({
          status: 401,
          challenge: 'Basic realm="Restricted"',
          text: 'invalid credentials',
        });
    expect((await ask('/function/x')).status).toBe(401);
    expect((await ask('/healthz')).status).toBe(200);
    for (const authorization of [basic(key), `Bearer ${key}`])
      expect((await ask('/system/functions', authorization)).status).toBe(200);
    const crossSite = { Authorization: basic(key), Origin: 'https://evil.example' };
    const foreign = await client.requestBytes('GET', '/system/functions', { headers: crossSite });
    expect(foreign.status).toBe(403);
    const faas = openFaasClient({
      ...client,
      requestBytes: (method, path, options) =>
        client.requestBytes(method, path, {
          ...options,
          headers: { ...options?.headers, Authorization: basic(key) },
        }),
    });
    await faas.deploy({ service: 'env', envProcess: 'env' });
    await faas.ready('env');
    expect((await faas.call('/function/env')).text).not.toMatch(/faas_[0-9a-f]{12}_|Authorization/i);
  });
});

describe('namespaces', () => {
  it.each([{ namespace: '../x' }, { openfaas: { namespaces: ['a/b'] } }, { openfaas: { namespaces: [] } }])(
    'the platform does not start with %j',
    async (options) => {
      await expect(testPlatform(options)).rejects.toThrow(/namespace/);
    },
  );
});
