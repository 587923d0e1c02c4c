/**
 * What was recorded of OpenFaaS, played to the executor. Only exchanges whose status and body were made by the gateway,
 * a watchdog or faas-memory count as OpenFaaS's own words, and each of them is in one of the tables here.
 */
import { describe, expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.js';
import type { E2eOpenFaasExecutor, OpenFaasOptions } from '../../src/executors/e2e-openfaas/index.js';
import { artifact, callOf, failureOf } from '../e2e-openfaas/setup.js';
import { CAPTURES, captureOf, isUpstream, keyOf, replay } from './openfaas-replay.js';

type Act = (executor: E2eOpenFaasExecutor) => Promise<unknown>;
const raw = { payload: 'raw' } as const;

const list: Act = (executor) => executor.listDeployments();
const describeOne: Act = (executor) => executor.getDeployment(1);
const health: Act = (executor) => executor.healthCheck(1);
const deploy: Act = (executor) => executor.deployJob(1, artifact);
const undeploy: Act = (executor) => executor.undeployJob(1);
const call: Act = (executor) => executor.invoke(callOf(1, { args: Buffer.from('hello') }), callContext());
const queue: Act = (executor) => executor.invokeAsync(callOf(1), callContext());
const scaled: Act = (executor) => executor.scale(1, 2);
const info: Act = (executor) => executor.server.info();
const logs: Act = async (executor) => {
  const all = [];
  for await (const entry of executor.logs(1)) all.push(entry);
  return all;
};
const text = (result: unknown) => Buffer.from((result as { readonly result: Uint8Array }).result).toString();

/** Answers: the exchanges in turn, what is done, and what comes of it. */
const ANSWERS: readonly (readonly [string[], Act, (value: unknown) => unknown, unknown, OpenFaasOptions?])[] =
  [
    [['caps-gw: info'], info, (it) => Object.keys(it as object).sort(), ['arch', 'provider', 'version']],
    [['caps-down: provider down: info'], info, (it) => (it as { provider: unknown }).provider, null],
    [
      ['caps-mem: info'],
      info,
      (it) => (it as { provider: { provider: string } }).provider.provider,
      'faas-memory',
    ],
    [['caps-gw: list empty'], list, (it) => it, []],
    [['caps-mem: list empty'], list, (it) => it, []], // `null`
    // Functions of others: without our marks.
    [['caps-gw: list'], list, (it) => it, []],
    [['caps-gw: list ns'], list, (it) => it, []],
    [['caps-gw: list other ns (empty)'], list, (it) => it, []],
    [['caps-gw: list with query after invocations'], list, (it) => it, []],
    [['caps-mem: list'], list, (it) => it, []],
    [['caps-mem: get'], health, (it) => it, { status: 'healthy' }],
    [
      ['caps-mem: get missing (faas-memory says 200!)'],
      describeOne,
      (it) => it,
      expect.objectContaining({ functionName: 'ghost' }),
    ],
    [['caps-mem: namespaces'], (executor) => executor.server.listNamespaces(), (it) => it, []],
    [
      ['caps-gw: logs'].flatMap((one) => ['caps-mem: get', one]),
      logs,
      (it) => (it as { message: string }[])[0]?.message,
      '2026/11/20 20:36:24 Forking fprocess.',
    ],
    [['caps-mem: get', 'caps-gw: logs missing'], logs, (it) => it, []],
    [
      ['caps-mem: get', 'caps-mem: logs'],
      logs,
      (it) => (it as { message: string }[]).map(({ message }) => message),
      ['memory log line'],
    ],
    [['caps-mem: get', 'caps-mem: scale', 'caps-mem: get'], scaled, (it) => it, 0], // it shows no replicas
    [['caps-mem: secret create'], (executor) => executor.server.putSecret('s1', 'v'), (it) => it, undefined],
    [
      ['caps-mem: secret list (leaks value in faas-memory)'],
      (executor) => executor.server.listSecrets(),
      (it) => it,
      ['s1'],
    ],
    [['caps-mem: secret delete'], (executor) => executor.server.deleteSecret('s1'), (it) => it, undefined],
    [['caps-mem: delete', 'caps-gw: list other ns (empty)'], undeploy, (it) => it, undefined],
    [['caps-mem: delete missing', 'caps-gw: list other ns (empty)'], undeploy, (it) => it, undefined],
    // faas-memory invents what it is asked for, and forgets annotations: PUT and POST decide.
    [
      [
        'caps-mem: get missing (faas-memory says 200!)',
        'caps-mem: update missing',
        'caps-mem: deploy',
        'caps-mem: get',
      ],
      deploy,
      (it) => it,
      expect.objectContaining({ functionName: 'cat-fn' }),
    ],
    [
      ['caps-mem: get', 'caps-mem: update', 'caps-mem: get'],
      deploy,
      (it) => it,
      expect.objectContaining({ functionName: 'cat-fn' }),
    ],
    [['caps-gw: async invoke'], queue, (it) => Object.keys(it as object), ['callId', 'result']],
    [
      ['caps-gw: async invoke missing function (accepted anyway)'],
      queue,
      (it) => Object.keys(it as object),
      ['callId', 'result'],
    ],
    [['caps-gw: async subpath'], queue, (it) => Object.keys(it as object), ['callId', 'result']],
    [['caps-gw: async own call id'], queue, (it) => Object.keys(it as object), ['callId', 'result']],
    [['caps-mem: invoke'], call, text, '{"Function":"cat-fn","ResponseBody":"hello","HostName":"vm"}', raw],
    [['caps-zero: invoke SSE accept'], call, text, 'data: x\n\n', raw],
    [['caps-ofw: ofw invoke'], call, text, 'done', raw],
    [['caps-ofw: ofw X-Timeout too long'], call, text, 'done', raw],
    [['caps-ofw: ofw X-Timeout malformed'], call, text, 'done', raw],
    [['caps-cw: cw invoke env'], call, (it) => /^Http_Method=POST$/m.test(text(it)), true, raw],
  ];

/** Refusals: the code, and did it run? */
const FAILURES: readonly (readonly [string[], Act, string, string, OpenFaasOptions?])[] = [
  [['caps-gw: unauth list'], list, 'AUTH', 'no'],
  [['caps-gw: bad password'], list, 'AUTH', 'no'],
  [['caps-gw: bearer token instead of basic'], list, 'AUTH', 'no', { auth: { bearer: 'x' } }],
  [['caps-gw: get missing', 'caps-gw: unauth deploy'], deploy, 'AUTH', 'no'],
  [['caps-gw: unauth info'], info, 'AUTH', 'no'],
  [['caps-gw: unauth secrets'], (executor) => executor.server.listSecrets(), 'AUTH', 'no'],
  [['caps-mem: get', 'caps-gw: unauth logs'], logs, 'AUTH', 'no'],
  [['caps-gw: invoke missing'], call, 'NOT_FOUND', 'no'],
  [['caps-gw: invoke missing ns'], call, 'NOT_FOUND', 'no'],
  [['caps-mem: invoke missing'], call, 'NOT_FOUND', 'no'],
  [['caps-down: provider down: invoke'], call, 'UNAVAILABLE', 'no'],
  [['caps-gw: async GET'], queue, 'UNSUPPORTED', 'no'],
  [['caps-gw: async bad callback url'], queue, 'INVALID_REQUEST', 'maybe'],
  [['caps-gw: unknown path'], queue, 'NOT_FOUND', 'no'],
  [['caps-mem: get', 'caps-gw: scale bad json'], scaled, 'INVALID_REQUEST', 'no'],
  [['caps-mem: get', 'caps-gw: scale GET (405)'], scaled, 'UNSUPPORTED', 'no'],
  [['caps-gw: method not allowed'], list, 'UNSUPPORTED', 'no'],
  [['caps-down: provider down: list'], list, 'UNAVAILABLE', 'no'],
  [['caps-gw: get missing', 'caps-down: provider down: deploy'], deploy, 'TIMEOUT', 'no'], // asked again until time is up
  [['caps-mem: get', 'caps-down: provider down: logs'], logs, 'UNAVAILABLE', 'no'],
  [['caps-mem: get', 'caps-mem: logs bad tail'], logs, 'UNAVAILABLE', 'no'],
  [['caps-gw: get missing', 'caps-mem: deploy malformed'], deploy, 'INVALID_REQUEST', 'no'],
  [['caps-ofw: ofw exec timeout'], call, 'TIMEOUT', 'maybe'],
  [['caps-ofw: ofw X-Timeout 500ms'], call, 'TIMEOUT', 'maybe', raw],
  [['caps-ofw: ofw upstream drops connection'], call, 'FUNCTION_ERROR', 'maybe', raw],
  [['caps-ofw2: ofw over max_inflight'], call, 'THROTTLED', 'no', raw],
  [['caps-cw-exec-timeout: cw exec timeout'], call, 'TIMEOUT', 'yes', raw],
  [['caps-cw-nonzero-exit: cw nonzero exit'], call, 'FUNCTION_ERROR', 'yes', raw],
  // A function of another making, called as one of ours.
  [['caps-ofw: ofw invoke'], call, 'PROTOCOL', 'maybe'],
];

/** Recorded, and nothing an executor asks for. */
const NOT_ASKED: Readonly<Record<string, string>> = {
  'caps-gw: root redirect': 'the web page',
  'caps-gw: unauth alert': 'for Prometheus',
  'caps-gw: unauth ui': 'the web page',
  'caps-gw: get bad name chars': 'no such name leaves the executor',
  'caps-gw: secret PATCH (405)': 'nobody sends PATCH',
  'caps-gw: alert firing': 'for Prometheus',
  'caps-gw: alert bad json': 'for Prometheus',
  'caps-gw: telemetry': 'for operators',
  'caps-gw: metrics healthz :8082': 'for operators',
  'caps-down: provider down: healthz': 'for operators',
  'caps-mem: deploy duplicate': 'equal to its deploy',
  'caps-mem: secret update': 'sent after a 409 alone, which faas-memory does not give',
  'caps-ofw: ofw health': 'for the cluster',
  'caps-ofw: ofw ready': 'for the cluster',
  'caps-ofw: ofw metrics port 8081': 'for Prometheus',
  'caps-ofw2: ofw ready while at max_inflight': 'for the cluster',
  'caps-ofw2: ofw health while at max_inflight': 'for the cluster',
  'caps-cw: cw health': 'for the cluster',
};

const path = (target: string) => target.split('?')[0];

describe('the executor understands what OpenFaaS answers', () => {
  for (const [keys, act, view, expected, options] of ANSWERS) {
    it(keys.join(', '), async () => {
      await using it = await replay(keys, options);
      expect(view(await act(it.executor))).toEqual(expected);
      expect(it.seen.length).toBeGreaterThanOrEqual(keys.length);
    });
  }

  for (const [keys, act, code, executed, options] of FAILURES) {
    it(`${keys.join(', ')}: ${code}`, async () => {
      await using it = await replay(keys, options);
      const error = await failureOf(act(it.executor));
      expect({ code: error.code, executed: error.executed }).toEqual({ code, executed });
      expect(it.seen.length).toBeGreaterThanOrEqual(keys.length);
      expect(error.message).not.toContain(Buffer.from('admin:pass').toString('base64'));
    });
  }

  it('and keeps the ids and figures of the gateway', async () => {
    await using it = await replay(['caps-gw: invoke POST'], raw);
    const { metrics } = await it.executor.invoke(callOf(1), callContext());
    expect(metrics).toMatchObject({ requestId: 'd6511ec1-652d-47fe-9a11-d675ea6f90f8', executionMs: 3 });
  });

  it('and reads a function at zero, whose fields are left out, as one that sleeps', async () => {
    await using it = await replay(['caps-zero: get at zero (replicas fields omitted)']);
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
  });
});

describe('the executor asks as the recorded client did', () => {
  it.each([
    ['caps-gw: list', list],
    ['caps-gw: info', info],
    ['caps-gw: namespaces', (executor: E2eOpenFaasExecutor) => executor.server.listNamespaces()],
    ['caps-gw: secret list', (executor: E2eOpenFaasExecutor) => executor.server.listSecrets()],
    ['caps-gw: secret create', (executor: E2eOpenFaasExecutor) => executor.server.putSecret('s1', 'v1')],
    ['caps-gw: secret delete', (executor: E2eOpenFaasExecutor) => executor.server.deleteSecret('s1')],
    ['caps-gw: get', describeOne],
    ['caps-gw: invoke with ns', call],
    ['caps-gw: delete', undeploy],
  ] as const)('%s', async (key, act) => {
    await using it = await replay([key, 'caps-gw: get missing'], raw);
    await act(it.executor);
    const { method, path: target, headers } = captureOf(key).request;
    const [asked] = it.seen;
    expect([asked?.method, path(asked?.path ?? '')]).toEqual([method, path(target)]);
    // The credentials were taken out of the recording; that there were some was not.
    expect(asked?.authorization?.split(' ')[0]).toBe(headers['Authorization']?.split(' ')[0]);
  });
});

it('every exchange that OpenFaaS itself made is in a table', () => {
  const used = new Set([...ANSWERS, ...FAILURES].flatMap(([keys]) => keys));
  const upstream = [...CAPTURES.values()].filter(isUpstream).map(keyOf);
  expect(upstream.filter((key) => !used.has(key) && !(key in NOT_ASKED))).toEqual([]);
  expect(upstream.length).toBeGreaterThan(70);
});
