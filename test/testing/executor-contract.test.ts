// The contract must find what is broken, or passing it means nothing.
import { describe, expect, it } from 'vitest';
import { FaasError } from '../../src/core/errors.js';
import type { FaasExecutor } from '../../src/core/executor.js';
import { callContext } from '../../src/core/scope.js';
import { MemoryExecutor } from '../../src/executors/memory/index.js';
import { CONTRACT_IDS, contractJobs, executorContract } from '../../src/testing/index.js';

const bytes = new Uint8Array([80, 75]);

/** Registers the contract over a memory executor with a fault and returns the titles of the cases that failed. */
async function failedCases(
  only: RegExp,
  breakIt: (memory: MemoryExecutor) => Partial<FaasExecutor>,
): Promise<string[]> {
  const cases: { title: string; run: () => Promise<void> }[] = [];
  const test = Object.assign(
    (title: string, run: () => Promise<void>) => {
      cases.push({ title, run });
    },
    { skip: () => {} },
  );
  executorContract({
    name: 'broken',
    test,
    expect,
    create: async () => {
      const memory = new MemoryExecutor({ jobs: contractJobs, limits: { maxPayloadBytes: 70_000 } });
      const fault = breakIt(memory);
      const executor = new Proxy(memory, {
        get(target, key) {
          const value: unknown = Reflect.get(fault, key) ?? Reflect.get(target, key, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      return {
        executor,
        deploy: (jobId, config) => executor.deployJob(jobId, { format: 'zip', bytes, sha256: '0' }, config),
      };
    },
  });
  const failed: string[] = [];
  for (const { title, run } of cases.filter(({ title }) => only.test(title))) {
    await run().catch(() => failed.push(title));
  }
  return failed;
}

describe('executorContract', () => {
  it('finds job ids that are cut to a byte', async () => {
    const failed = await failedCases(/job \d+ is/, (memory) => ({
      invoke: (call, context) => memory.invoke({ ...call, jobId: call.jobId & 0xff }, context),
    }));
    expect(failed).toContain('broken: job 256 is job 256 and no other');
    expect(failed).toContain('broken: job 4294967295 is job 4294967295 and no other');
  });

  it('finds bytes that went through text', async () => {
    const failed = await failedCases(/carries .* there and back/, (memory) => ({
      invoke: async (call, context) => {
        const args = new TextEncoder().encode(new TextDecoder().decode(call.args));
        return memory.invoke({ ...call, args }, context);
      },
    }));
    expect(failed).toHaveLength(5);
    expect(failed).not.toContain('broken: carries one zero byte there and back');
  });

  it('finds metadata that does not come back', async () => {
    const failed = await failedCases(/metadata/, (memory) => ({
      invoke: async (call, context) => ({ ...(await memory.invoke(call, context)), metadata: {} }),
    }));
    expect(failed).toHaveLength(2);
  });

  it('finds a cancel that is not heard', async () => {
    const failed = await failedCases(/cancelled before/, (memory) => ({
      invoke: (call) => memory.invoke(call, callContext()),
    }));
    expect(failed).toHaveLength(1);
  });

  it('finds an executor that claims nothing ran', async () => {
    const failed = await failedCases(/ended|ends|throws/, (memory) => ({
      invoke: (call, context) =>
        memory
          .invoke(call, context)
          .catch((error: FaasError) => Promise.reject(error.with({ executed: 'no' }))),
    }));
    expect(failed.length).toBeGreaterThanOrEqual(3);
  });

  it('finds errors that are no FaasError', async () => {
    const failed = await failedCases(/NOT_FOUND and did not run/, () => ({
      invoke: () => Promise.reject(new Error('404')),
    }));
    expect(failed).toHaveLength(1);
  });

  it('finds payload bytes and secrets in errors', async () => {
    const failed = await failedCases(/no error shows/, (memory) => ({
      invoke: (call, context) =>
        memory.invoke(call, context).catch((error: FaasError) => {
          throw error.with({ message: `${error.message} input: ${Buffer.from(call.args).toString()}` });
        }),
    }));
    expect(failed).toHaveLength(1);
  });

  it('finds a warm that runs the job', async () => {
    const failed = await failedCases(/warming does not run/, (memory) => ({
      warm: async (jobId) => {
        const call = {
          jobId,
          args: bytes,
          callId: 'warm',
          attempt: 1,
          deadline: Infinity,
          idempotent: false,
          metadata: {},
        };
        await memory.invoke(call, callContext());
        return 1;
      },
    }));
    expect(failed).toHaveLength(1);
  });

  it('finds an undeploy that fails the second time', async () => {
    const failed = await failedCases(/undeploying twice/, (memory) => ({
      undeployJob: async (jobId) => {
        if ((await memory.getDeployment(jobId)) === undefined) {
          throw new FaasError({ code: 'NOT_FOUND', executed: 'no', message: 'gone' });
        }
        await memory.undeployJob(jobId);
      },
    }));
    expect(failed).toHaveLength(1);
  });

  it('registers what a subject cannot do as skipped, with the reason in the title', () => {
    const skipped: string[] = [];
    const test = Object.assign(() => {}, { skip: (title: string) => void skipped.push(title) });
    const summary = executorContract({
      name: 'weak',
      test,
      expect,
      create: () => Promise.reject(new Error('never made')),
      excluded: { list: 'the platform has no listing', logs: 'no logs' },
    });
    expect(summary.skipped).toBe(2);
    expect(summary.cases).toBeGreaterThanOrEqual(35);
    expect(skipped[0]).toMatch(/^weak: .* \[not here: the platform has no listing\]$/);
  });

  it('runs jobs with ids of their own', () => {
    const ids = contractJobs.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).not.toContain(CONTRACT_IDS.unknown);
  });
});
