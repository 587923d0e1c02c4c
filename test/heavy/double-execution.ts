/**
 * Runner to executor over a network that breaks: what the errors claim is compared with what ran. One suite for every
 * executor; a room says how its function is deployed and reached through the proxy.
 */
import { describe, expect, it } from 'vitest';
import { defineJob, type FaasExecutor, JobRunner, type Outcome } from '../../src/index.js';
import { type ChaosProxy, chaosProxy, type Fault } from '../../src/testing/index.js';

const CALLS = 10_000;
const IN_FLIGHT = 32;
const SEEDS = [1, 20_261_120];

/** Not idempotent: one that runs twice is a fault. */
export const once = defineJob({ id: 1, name: 'once', timeoutMs: 3_000, handler: (n: number) => n + 1 });

export interface Subject {
  readonly executor: FaasExecutor;
  /** How often each call ran, by call id. */
  readonly executions: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export interface DoubleExecution {
  readonly name: string;
  /** About what a reply has, so that one can be cut off in the middle. Default 250. */
  readonly replyBytes?: number;
  /**
   * Deploys `once` and opens an executor with `connections` sockets.
   * @param through starts the proxy to `http://host:port` and gives its URL; called once
   */
  open(through: (target: string) => Promise<string>, connections: number): Promise<Subject>;
}

export function doubleExecutionCount({ name, replyBytes = 250, open }: DoubleExecution): void {
  const faults: Fault[] = [
    { kind: 'latency', share: 0.05, minMs: 1, maxMs: 10 },
    { kind: 'reset-before-request', share: 0.08 },
    { kind: 'reset-after-request', share: 0.08 },
    { kind: 'reset-before-reply', share: 0.08 },
    { kind: 'half-close', share: 0.05 },
    { kind: 'truncate', share: 0.08, afterBytes: replyBytes },
    { kind: 'slow-drip', share: 0.03, bytes: replyBytes / 2, everyMs: 1 },
    { kind: 'blackhole', share: 0.005 },
  ];
  describe.each(SEEDS)(`10,000 non-idempotent ${name} calls through the chaos proxy, seed %i`, (seed) => {
    it('no function runs twice, and every `executed` is true', async () => {
      const proxies: ChaosProxy[] = [];
      const through = async (target: string) => {
        const proxy = await chaosProxy({ target, seed, faults });
        proxies.push(proxy);
        return proxy.url;
      };
      const { executor, executions, close } = await open(through, IN_FLIGHT);
      try {
        const outcomes = await run(executor);
        expect(outcomes).toHaveLength(CALLS);
        const runs = ({ callId }: Outcome) => executions.get(callId) ?? 0;
        expect(outcomes.filter((outcome) => runs(outcome) > 1)).toEqual([]);
        expect(outcomes.filter((outcome) => isLie(outcome, runs(outcome)))).toEqual([]);
        // The faults did strike, and most calls came through all the same.
        const counts = proxies[0]?.counts ?? {};
        expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([]);
        expect(outcomes.filter(({ status }) => status === 'ok').length).toBeGreaterThan(CALLS / 2);
        console.log(`${name}, seed ${seed}: ${summary(outcomes)}; ${JSON.stringify(counts)}`);
      } finally {
        await executor.close?.();
        for (const proxy of proxies) await proxy.close();
        await close();
      }
    });
  });
}

async function run(executor: FaasExecutor): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  function* calls() {
    for (let n = 0; n < CALLS; n += 1) yield once.call(n);
  }
  await JobRunner.builder()
    .job(once)
    .producer(calls)
    .consumer((outcome) => outcomes.push(outcome))
    .withFaasExecutor(once.id, executor, { concurrency: IN_FLIGHT })
    .concurrency(IN_FLIGHT)
    .retry({ attempts: 4, minDelayMs: 1 })
    .run();
  return outcomes;
}

/** Does an outcome claim what did not happen? */
function isLie(outcome: Outcome, runs: number): boolean {
  if (outcome.status === 'ok') return runs !== 1 || outcome.value !== (outcome.input as number) + 1;
  if (outcome.error.executed === 'no') return runs !== 0;
  return outcome.error.executed === 'yes' && runs !== 1;
}

function summary(outcomes: readonly Outcome[]): string {
  const groups = Object.groupBy(outcomes, ({ status, error }) =>
    status === 'ok' ? 'ok' : `${error?.code} ${error?.executed}`,
  );
  return Object.entries(groups)
    .map(([kind, list]) => `${list?.length} ${kind}`)
    .join(', ');
}
