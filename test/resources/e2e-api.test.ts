/** The requests to E2E's API: another server, outages, silence, and refusals that quote the request. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  type Address,
  apply,
  type Declarations,
  e2ePlatformProvider,
  emptyState,
  endpointFaults,
  plan,
  refresh,
  resolveDeclarations,
  type State,
  stateFromJson,
  stateToJson,
  withEndpoints,
  withResource,
} from '../../src/resources/index.js';
import { type FakeE2e, fakeE2e } from '../fakes/e2e-platform.js';

const SECRET = 'pass"word/ä & more';
const file: Declarations = {
  provider: 'e2e-platform',
  functions: { resize: { runtime: 'python3.11', code_inline: 'x' } },
};
const signal = new AbortController().signal;
const providerAt = (endpoint: string, requestTimeoutMs = 60_000) =>
  e2ePlatformProvider({ endpoint, authToken: 'token-1', apiKey: 'key&1', requestTimeoutMs });

async function applied(fake: FakeE2e, declarations: Declarations, state = emptyState()) {
  const secretValues = new Map<Address, string>(
    Object.keys(declarations.secrets ?? {}).map((key) => [`secret.${key}`, SECRET]),
  );
  const inputs = { codeSha256: new Map(), secretValues, secretKey: state.secret_key };
  const desired = resolveDeclarations(declarations, inputs);
  const provider = providerAt(fake.url);
  return apply(plan(state, desired), state, {
    desired,
    codes: new Map(),
    secretValues,
    provider: () => provider,
    save: async () => {},
    signal,
    waits: { pollFirstMs: 1, pollMostMs: 5, timeoutMs: 5000 },
  });
}

describe('a server that is not the API', () => {
  it.each(['/faas/api/v2', '/faas/api', '/elsewhere'])(
    'is no reason to believe that all is gone: %s',
    async (path) => {
      await using fake = await fakeE2e();
      const { state } = await applied(fake, {
        ...file,
        secrets: { 'db-key': { value_env: 'X' } },
      });
      const elsewhere = providerAt(`${new URL(fake.url).origin}${path}`);
      await expect(refresh(state, () => elsewhere, signal)).rejects.toThrow(/Set SERVICE_API_ENDPOINT/);
      const wanted = { name: 'resize', namespace: undefined, job_id: undefined };
      await expect(elsewhere.find(wanted, signal)).rejects.toThrow(/Set SERVICE_API_ENDPOINT/);
      await expect(elsewhere.secrets?.has('db-key', undefined, signal)).rejects.toMatchObject({
        code: 'CONFIG',
      });
      expect((await refresh(state, () => providerAt(fake.url), signal)).drifts).toEqual([]);
    },
  );

  it('answers lists with something else', async () => {
    await using fake = await fakeE2e();
    fake.faults.push({ operation: 'GET /functions', status: 200, body: '{"hello":"world"}' });
    const wanted = { name: 'resize', namespace: undefined, job_id: undefined };
    await expect(providerAt(fake.url).find(wanted, signal)).rejects.toThrow(/no list.*is not the API/);
  });

  it('is refused when the state was made at another, unless that has moved', async () => {
    await using fake = await fakeE2e();
    const { state } = await applied(fake, file);
    const at = (url: string) => new Map([['e2e-platform', { url, variable: 'SERVICE_API_ENDPOINT' }]]);
    const known = stateFromJson(stateToJson(withEndpoints(state, at('https://one/faas/api/v1'))));
    expect(endpointFaults(known, at('https://one/faas/api/v1'))).toEqual([]);
    expect(endpointFaults(known, at('https://two/faas/api/v1'))).toEqual([
      expect.stringMatching(
        /is at https:\/\/two.*made at https:\/\/one.*Set SERVICE_API_ENDPOINT.*--new-endpoint/,
      ),
    ]);
    const empty: State = withResource(known, 'function.resize', undefined);
    expect(endpointFaults(empty, at('https://two/faas/api/v1'))).toEqual([]);
    expect(withEndpoints(known, at('https://one/faas/api/v1'))).toBe(known);
  });
});

describe('an API that is away for a moment', () => {
  it('condemns no function that it was asked about meanwhile', async () => {
    await using fake = await fakeE2e();
    for (let time = 0; time < 4; time += 1) {
      fake.faults.push({ operation: 'GET /functions/{id}', status: time % 2 === 0 ? 503 : 429 });
    }
    const { failed, state } = await applied(fake, file);
    expect(failed).toEqual([]);
    expect(state.resources.get('function.resize')?.status).toBeUndefined();
  });

  it('is asked again for what can be sent twice, and not for what cannot', async () => {
    await using fake = await fakeE2e();
    fake.faults.push({ operation: 'GET /functions', reset: 'before' });
    const wanted = { name: 'resize', namespace: undefined, job_id: undefined };
    expect(await providerAt(fake.url).find(wanted, signal)).toBeUndefined();
    fake.faults.push({ operation: 'POST /functions', status: 503 });
    expect((await applied(fake, file)).failed).toHaveLength(1);
    expect(fake.operations().filter((one) => one === 'POST /functions')).toHaveLength(1);
  });

  it('is not waited for without an end', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/faas/api/v1`;
      await expect(providerAt(url, 50).read('f1', signal)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('got no answer within 0.05 s'),
      });
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});

it('a refusal that quotes the request shows no token, no key and no value of a secret', async () => {
  await using fake = await fakeE2e();
  const quoted = `Bearer token-1 ?apikey=${encodeURIComponent('key&1')} ${JSON.stringify({ value: SECRET })}`;
  for (const operation of ['POST /secrets', 'POST /functions']) {
    fake.faults.push({ operation, status: 422, body: JSON.stringify({ error: `cannot take ${quoted}` }) });
  }
  const { failed } = await applied(fake, { ...file, secrets: { 'db-key': { value_env: 'X' } } });
  expect(failed).toHaveLength(2);
  for (const { error } of failed) {
    expect(String(error)).toContain('cannot take Bearer [hidden]');
    expect(JSON.stringify([String(error), String((error as Error).cause)])).not.toMatch(
      /token-1|key&1|key%261|word/,
    );
  }
});

it('a token that no header takes is refused, and not quoted', () => {
  const open = () =>
    e2ePlatformProvider({ endpoint: 'http://127.0.0.1:9/faas/api/v1', authToken: 'hunter2\nx' });
  expect(open).toThrow(/perhaps a line end/);
  expect(open).not.toThrow(/hunter2/);
});
