/** executorContract: what every executor must do, as a suite any test runner can register. */
import type { JobId } from '../core/job.js';
import { callCases } from './contract-call-cases.js';
import { failureCases } from './contract-failure-cases.js';
import { lifecycleCases } from './contract-lifecycle-cases.js';
import type { Bench, ContractCase, ContractOptions, ContractSubject } from './contract-types.js';

const CASES: readonly ContractCase[] = [...callCases, ...failureCases, ...lifecycleCases];

/**
 * Registers the contract with `test`: bytes, ids, call facts, failures, cancelling, closing and the life cycle.
 * Each case makes a subject, deploys the `contractJobs` it needs, and cleans up. Returns how many cases were
 * registered and how many of them as skipped.
 * @example executorContract({ name: 'memory', test, expect, create: async () => ({ executor: new MemoryExecutor({ jobs: [...contractJobs] }) }), excluded: { … } })
 */
export function executorContract(options: ContractOptions): {
  readonly cases: number;
  readonly skipped: number;
} {
  let skipped = 0;
  for (const contractCase of CASES) {
    const title = `${options.name}: ${contractCase.title}`;
    const reason = contractCase.needs && options.excluded?.[contractCase.needs];
    if (reason === undefined) options.test(title, () => runCase(contractCase, options));
    else {
      skipped += 1;
      options.test.skip(`${title} [not here: ${reason}]`, () => runCase(contractCase, options));
    }
  }
  return { cases: CASES.length, skipped };
}

async function runCase({ jobs, run }: ContractCase, { create, expect }: ContractOptions): Promise<void> {
  const subject = await create();
  const { executor } = subject;
  try {
    for (const jobId of jobs) await subject.deploy?.(jobId);
    await run({ subject, executor, expect, deploy: deployWith(subject) });
  } finally {
    await executor.close?.();
    await subject.cleanup?.();
  }
}

function deployWith(subject: ContractSubject): Bench['deploy'] {
  return (jobId: JobId, config) => {
    if (subject.deploy !== undefined) return subject.deploy(jobId, config);
    throw new Error('The subject has no deploy(): add it, or exclude "lifecycle" with the reason.');
  };
}
