import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type OpenFaasClient, openFaasClient, upstream } from './support/openfaas.js';
import { eventually, type TestPlatform, testPlatform } from './support/platform.js';

let server: TestPlatform;
let faas: OpenFaasClient;

beforeAll(async () => {
  server = await testPlatform({ scaler: { downAfterMs: 1000 } });
  faas = openFaasClient(server);
  await faas.deploy({ service: 'cat', envProcess: 'cat' });
  await faas.ready('cat');
});
afterAll(() => server[Symbol.asyncDispose]());

describe('scaling', () => {
  const replicasOf = async (name: string) => (await faas.get(name)).replicas ?? 0;

  it('com.openfaas.scale.min holds from the first moment', async () => {
    await faas.deploy({ service: 'two', envProcess: 'cat', labels: { 'com.openfaas.scale.min': '2' } });
    expect(await replicasOf('two')).toBe(2);
    await eventually(async () => (await faas.get('two')).availableReplicas === 2, 'both are ready');
  });

  it('to zero is seen at once, and the next call wakes it', async () => {
    const scale = (replicas: number) =>
      faas.system('POST', 'scale-function/cat', { serviceName: 'cat', replicas });
    expect(await scale(0)).toMatchObject({ status: 202, text: '' });
    const idle = await faas.get('cat');
    expect([idle.replicas, idle.availableReplicas, idle.state]).toEqual([undefined, undefined, 'idle']);
    expect(await faas.call('/function/cat', { body: 'wake' })).toMatchObject({ status: 200, text: 'wake' });
    expect(await replicasOf('cat')).toBe(1);
    expect((await scale(3)).status).toBe(202);
    expect(await replicasOf('cat')).toBe(3);
    expect((await faas.system('POST', 'scale-function/ghost', { replicas: 1 })).status).toBe(404);
    expect((await scale(101)).status).toBe(400);
    expect((await scale(-1)).status).toBe(400);
  });

  it('follows the load up to the maximum, and back down', async () => {
    const labels = { 'com.openfaas.scale.min': '1', 'com.openfaas.scale.max': '2' };
    await faas.deploy(upstream({ service: 'loaded', labels }));
    await faas.deploy(upstream({ service: 'fixed', labels: { ...labels, 'com.openfaas.scale.min': '2' } }));
    await faas.ready('loaded');
    let isOver = false;
    const load = (async () => {
      while (!isOver) {
        await Promise.all(['loaded', 'fixed'].map((name) => faas.call(`/function/${name}`)));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    await eventually(async () => (await replicasOf('loaded')) === 2, 'two under load', 25_000);
    expect(await replicasOf('fixed')).toBe(2);
    isOver = true;
    await load;
    await eventually(async () => (await replicasOf('loaded')) === 1, 'one without', 25_000);
    expect(await replicasOf('fixed')).toBe(2);
  });

  it('to zero by itself, where its label says so', async () => {
    const labels = { 'com.openfaas.scale.zero': 'true', 'com.openfaas.scale.zero-duration': '1s' };
    await faas.deploy({ service: 'sleepy', envProcess: 'cat', labels });
    await faas.ready('sleepy');
    await eventually(async () => (await faas.get('sleepy')).state === 'idle', 'it sleeps', 25_000);
    expect((await faas.call('/function/sleepy', { body: 'up' })).text).toBe('up');
  });

  it('by alerts, as AlertManager sends them', async () => {
    await faas.deploy({
      service: 'alarmed',
      envProcess: 'cat',
      labels: { 'com.openfaas.scale.factor': '40' },
    });
    const alert = (status: string) =>
      faas.system('POST', 'alert', {
        status,
        receiver: 'scale-up',
        alerts: [
          { status, labels: { alertname: 'APIHighInvocationRate', function_name: 'alarmed.openfaas-fn' } },
        ],
      });
    expect(await alert('firing')).toMatchObject({ status: 200, text: '' });
    expect(await replicasOf('alarmed')).toBe(3);
    await alert('resolved');
    expect(await replicasOf('alarmed')).toBe(1);
  });
});
