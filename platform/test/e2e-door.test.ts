import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type E2eClient, e2eClient, PYTHON } from './support/e2e.js';
import { type TestPlatform, testPlatform } from './support/platform.js';
import { hasPython } from './support/python.js';
import { zip } from './support/zip.js';

const HELLO_NODE = `module.exports = async (event, context) => context.status(200).succeed('hello ' + event.body);`;
const HELLO_PYTHON = `
def handle(event, context):
    return {"statusCode": 200, "body": "hello " + event.body.decode()}
`;

describe('a function of the E2E door', () => {
  let server: TestPlatform;
  let e2e: E2eClient;

  beforeAll(async () => {
    server = await testPlatform();
    e2e = e2eClient(server);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('is Deploying when it was created, and Running when its code is loaded', async () => {
    const { status, body } = await e2e.api('POST', '/functions', {
      name: 'first',
      runtime: 'node20',
      code_inline: HELLO_NODE,
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ name: 'first', namespace: 'e2e-faas-local', status: 'Deploying' });
    expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(await e2e.until(body.id, 'Running')).toMatchObject({
      runtime: 'node20',
      template: 'http',
      version: 'v1',
      config: { memory_mb: 128, timeout_seconds: 30, replicas: 1, hardware_type: 'cpu' },
      environment: {},
      secrets: [],
      labels: {},
      invoke_url: `${server.platform.url}/faas/function/v1/first.e2e-faas-local/`,
    });
  });

  it.each(hasPython ? ['node20', PYTHON] : ['node20'])(
    'answers in %s, from code that came inline',
    async (runtime) => {
      const code = runtime === PYTHON ? HELLO_PYTHON : HELLO_NODE;
      const name = `inline-${runtime.replaceAll(/[^a-z0-9]/g, '')}`;
      const fn = await e2e.create({ name, runtime, code_inline: code });
      const reply = await e2e.ask(name, { body: 'Ada', headers: { 'Content-Type': 'text/plain' } });
      expect(reply).toMatchObject({ status: 200, text: 'hello Ada' });
      expect(reply.headers.get('x-call-id')).toMatch(/^[0-9a-f-]{36}$/);
      expect((await e2e.api('GET', `/functions/${fn.id}`)).body.invocation_count).toBe(1);
    },
  );

  it.runIf(hasPython)('is Failed with the reason when its Python does not load', async () => {
    const python = await e2e.create(
      { name: 'broken-python', runtime: PYTHON, code_inline: 'import no_such_module\n' },
      'Failed',
    );
    expect(python.error_message).toBe(
      "the code does not load: ModuleNotFoundError: No module named 'no_such_module'",
    );
  });

  it('is Failed with the reason when its code does not load', async () => {
    const node = await e2e.create({ name: 'broken-node', code_inline: 'module.exports = {' }, 'Failed');
    expect(node.error_message).toMatch(/^the code does not load: SyntaxError: /);
    const reply = await e2e.ask('broken-node');
    expect([reply.status, JSON.parse(reply.text).code]).toEqual([503, 'UNAVAILABLE']);
    expect(reply.text).toContain('SyntaxError');
  });

  it.runIf(hasPython)('comes as an archive with more than one file', async () => {
    const archive = zip([
      { name: 'handler.py', content: 'from words import GREETING\ndef handle(e, c):\n    return GREETING\n' },
      { name: 'words.py', content: 'GREETING = "from the archive"\n' },
    ]);
    await e2e.create({ name: 'archived', runtime: PYTHON, code_archive: archive.toString('base64') });
    expect((await e2e.ask('archived')).text).toBe('from the archive');
  });
});
