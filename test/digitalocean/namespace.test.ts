/** Who finds, makes and renews the namespace: once for all who want it, and at nobody's expense. */
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { FaasError } from '../../src/core/errors.js';
import { callContext } from '../../src/core/scope.js';
import { DigitalOceanExecutor } from '../../src/executors/digitalocean/index.js';
import { SingleFlight } from '../../src/executors/digitalocean/single-flight.js';
import { REGION, TOKEN } from '../fakes/digitalocean.js';
import { artifact, bench, callOf, failureOf } from './setup.js';

const jobs = [1, 2, 3, 4].map((id) =>
  defineJob({ id, name: `job-${id}`, codec: 'bytes', handler: (input: Uint8Array) => input }),
);

describe('the namespace', () => {
  it('is made once by first deploys in parallel', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('GET namespaces', { delayMs: 20 });
    await Promise.all([1, 2, 3, 4].map((jobId) => it.deploy(jobId)));
    expect([it.fake.namespaces.size, it.fake.actions.size]).toEqual([1, 4]);
    expect(it.fake.operations.filter((one) => one === 'POST namespaces')).toHaveLength(1);
  });

  it('is the oldest for two processes that have made one at the same moment', async () => {
    const read: string[] = [];
    await using it = await bench({
      jobs,
      observe: ({ operation, target }) => operation === 'GET namespace' && read.push(target),
    });
    await using other = new DigitalOceanExecutor({ token: TOKEN, region: REGION, endpoint: it.fake.url });
    it.fake.fault('POST namespaces', { delayMs: 30 });
    it.fake.fault('POST namespaces', { delayMs: 40 });
    await Promise.all([it.deploy(1), other.deployJob(2, artifact)]);
    const [oldest] = it.fake.namespaces.keys();
    expect(it.fake.namespaces.size).toBe(2);
    expect(read).toEqual([`/v2/functions/namespaces/${oldest}`, `/v2/functions/namespaces/${oldest}`]);
  });

  it.each([
    ['an empty body', ''],
    ['no JSON', '<html>'],
  ])('is not made after a list with %s', async (_, body) => {
    await using it = await bench({ jobs });
    it.fake.fault('GET namespaces', { status: 200, body });
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'PROTOCOL', executed: 'no' });
    expect(it.fake.namespaces.size).toBe(0);
  });

  it('is not made after a 404 of the list, which says that `endpoint` is another service', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('GET namespaces', { status: 404 });
    expect((await failureOf(it.deploy(1))).message).toContain('`endpoint`');
    expect(it.fake.namespaces.size).toBe(0);
  });

  it('that the account may have no more of is no throttle: nobody tries again', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('POST namespaces', { status: 422, body: '{"message":"namespace limit reached"}' });
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('no more namespaces');
  });
});

describe('who waits for the namespace', () => {
  it('gives up alone: the others get it', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await using fresh = new DigitalOceanExecutor({ token: TOKEN, region: REGION, endpoint: it.fake.url });
    it.fake.fault('GET namespaces', { delayMs: 300 });
    const hasty = failureOf(fresh.invoke(callOf(1), callContext({ timeoutMs: 50 })));
    const patient = fresh.invoke(callOf(1), callContext({ timeoutMs: 20_000 }));
    expect(await hasty).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    await expect(patient).resolves.toBeDefined();
  });

  it('keeps its own deadline behind somebody with a longer one', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await using fresh = new DigitalOceanExecutor({ token: TOKEN, region: REGION, endpoint: it.fake.url });
    it.fake.fault('GET namespaces', { delayMs: 800 });
    const patient = fresh.invoke(callOf(1), callContext({ timeoutMs: 20_000 }));
    const startedMs = performance.now();
    const hasty = fresh.invoke(callOf(1), callContext({ timeoutMs: 100 }));
    expect(await failureOf(hasty)).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    expect(performance.now() - startedMs).toBeLessThan(600);
    await patient;
  });
});

it('what is done before a call has never run it, whatever it fails with', async () => {
  const place = { provider: 'digitalocean', functionName: 'f', origin: 'http://x' };
  const work = async () => {
    throw new FaasError({ code: 'TIMEOUT', executed: 'maybe', message: 'the deadline of the look-up' });
  };
  const joined = new SingleFlight<void>().join(work, place, callContext());
  expect(await failureOf(joined)).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
});

describe('a refused key', () => {
  it('that is still the same is not tried again', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST action', { status: 401 }, 20);
    const before = it.fake.operations.length;
    const calls = Array.from({ length: 20 }, () => failureOf(it.executor.invoke(callOf(1), callContext())));
    for (const error of await Promise.all(calls))
      expect(error).toMatchObject({ code: 'AUTH', executed: 'no' });
    const sent = it.fake.operations.slice(before);
    expect(sent.filter((one) => one === 'POST action')).toHaveLength(20);
    expect(sent.filter((one) => one === 'GET namespace').length).toBeLessThan(20);
  });

  it('that was rotated is read once for all, for deploys too, and the old sockets are closed', async () => {
    await using it = await bench({ jobs });
    // In front of the fake's OpenWhisk: counts the sockets of the data plane.
    const sockets = new Set<Socket>();
    const front = createServer((socket) => {
      sockets.add(socket.on('close', () => sockets.delete(socket)));
      const { port, hostname } = new URL(it.fake.url);
      const back = connect(Number(port), hostname);
      socket.pipe(back).pipe(socket);
      for (const one of [socket, back]) one.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    const address = front.address() as { port: number };
    await it.deploy(1);
    const [[id, namespace] = ['', {}]] = [...it.fake.namespaces];
    const rotate = (key: string) =>
      it.fake.namespaces.set(id, { ...namespace, key, api_host: `http://127.0.0.1:${address.port}` });
    rotate('rotated-1');
    await it.executor.invoke(callOf(1), callContext());
    expect(sockets.size).toBe(1);
    for (const n of [2, 3, 4]) {
      rotate(`rotated-${n}`);
      const before = it.fake.operations.length;
      await Promise.all([1, 1, 1].map((jobId) => it.executor.invoke(callOf(jobId), callContext())));
      const reads = it.fake.operations.slice(before).filter((one) => one === 'GET namespace');
      expect(reads.length).toBeLessThanOrEqual(2);
    }
    rotate('rotated-5');
    await it.deploy(1, { memoryMb: 128 });
    rotate('rotated-6');
    await it.executor.invoke(callOf(1), callContext());
    await delay(50);
    expect(sockets.size).toBe(1);
    await it.executor.close();
    front.close();
  });

  it('does not end the calls that are under way with the old one', async () => {
    const slow = defineJob({ id: 9, name: 'slow', handler: () => delay(150).then(() => 'done') });
    await using it = await bench({ jobs: [...jobs, slow], blockingMs: 5 });
    await it.deploy(1);
    await it.deploy(9);
    const going = it.executor.invoke(callOf(9), callContext());
    await delay(30);
    const [[id, namespace] = ['', {}]] = [...it.fake.namespaces];
    it.fake.namespaces.set(id, { ...namespace, key: 'rotated' });
    await it.executor.invoke(callOf(1), callContext());
    expect(Buffer.from((await going).result).toString()).toBe('"done"');
  });

  it('of a namespace that was deleted is forgotten: the next deploy makes another', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.namespaces.clear();
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'AUTH' });
    await it.deploy(1);
    expect(it.fake.namespaces.size).toBe(1);
  });
});
