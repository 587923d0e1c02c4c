import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type E2eClient, e2eClient } from './support/e2e.js';
import { openFaasClient, upstream } from './support/openfaas.js';
import { eventually, type TestPlatform, testPlatform } from './support/platform.js';

let server: TestPlatform;
let e2e: E2eClient;

beforeAll(async () => {
  server = await testPlatform();
  e2e = e2eClient(server);
});
afterAll(() => server[Symbol.asyncDispose]());

const CODE = `
module.exports = async (event) => {
  if (event.query.loop) for (;;);
  await new Promise((resolve) => setTimeout(resolve, Number(event.query.ms ?? 0)));
  return process.pid;
};`;

describe('callers that give up before the limit of the function', () => {
  /** Undefined when no answer comes in time. */
  const ask = async (name: string, query: string, patienceMs: number): Promise<string | undefined> => {
    const url = `${server.platform.url}/faas/function/v1/${name}.e2e-faas-local/${query}`;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs) });
      return response.status === 200 ? await response.text() : undefined;
    } catch {
      return undefined;
    }
  };

  it('do not keep a stuck instance from being replaced at that limit', async () => {
    await e2e.create({ name: 'stuck', code_inline: CODE, config: { timeout_seconds: 3 } });
    const before = await ask('stuck', '', 5000);
    expect(await ask('stuck', '?loop=1', 300)).toBeUndefined();
    let after: string | undefined;
    await eventually(async () => {
      after = await ask('stuck', '', 500);
      return after !== undefined;
    }, 'another instance answers');
    expect(after).not.toBe(before);
  });

  it('do not have a healthy instance replaced', async () => {
    await e2e.create({ name: 'calm', code_inline: CODE, config: { timeout_seconds: 3 } });
    const before = await ask('calm', '', 5000);
    for (let n = 0; n < 5; n++) {
      const late = await e2e.ask('calm', { path: '?ms=100', headers: { 'X-Faas-Timeout-Ms': '10' } });
      expect([late.status, JSON.parse(late.text)]).toMatchObject([504, { code: 'TIMEOUT', executed: 'yes' }]);
    }
    const faas = openFaasClient(server);
    await faas.deploy(upstream({ service: 'http' }));
    await faas.ready('http');
    const pid = async (headers: Record<string, string> = {}) => {
      const reply = await faas.call('/function/http', { headers });
      return reply.headers.get('x-pid');
    };
    const upstreamPid = await pid();
    for (let n = 0; n < 5; n++) expect(await pid({ 'X-Timeout': '10ms', 'X-Slow': '100' })).toBeNull();
    expect([await ask('calm', '', 5000), await pid()]).toEqual([before, upstreamPid]);
  });
});
