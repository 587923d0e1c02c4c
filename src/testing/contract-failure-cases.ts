/** Contract: failures carry facts, cancelling ends the wait, nothing leaks. */
import { inspect as show } from 'node:util';
import type { FaasError } from '../core/errors.js';
import { callContext } from '../core/scope.js';
import { cancelReason, contractCall, failureOf, invoke, pause, toText } from './contract-calls.js';
import { CONTRACT_FAILURE, CONTRACT_IDS, PASS_ON_A_REFUSAL } from './contract-jobs.js';
import type { Bench, ContractCase } from './contract-types.js';

const { echo, fail, hang, unknown } = CONTRACT_IDS;
const LONG = '60000';
/** Sent as payload, so it must be part of no error. */
const CANARY = 'canary-3f9a1c';

async function echoes(bench: Bench): Promise<void> {
  bench.expect(toText((await invoke(bench, contractCall(echo, 'still here'))).result)).toBe('still here');
}

function expectFacts(bench: Bench, error: FaasError, code: string, executed: readonly string[]): void {
  bench.expect(error.code).toBe(code);
  bench.expect(executed.includes(error.executed) ? executed : error.executed).toEqual(executed);
}

export const failureCases: readonly ContractCase[] = [
  {
    title: 'a handler that throws is a FUNCTION_ERROR that ran',
    jobs: [fail],
    run: async (bench) => {
      const error = await failureOf(invoke(bench, contractCall(fail)));
      expectFacts(bench, error, 'FUNCTION_ERROR', ['yes']);
      bench.expect(typeof error.provider).toBe('string');
    },
  },
  {
    title: 'a handler that passes on the refusal of somebody else did run',
    jobs: [fail],
    run: async (bench) => {
      const error = await failureOf(invoke(bench, contractCall(fail, PASS_ON_A_REFUSAL)));
      expectFacts(bench, error, 'FUNCTION_ERROR', ['yes']);
    },
  },
  {
    title: 'a FUNCTION_ERROR carries the name and message of what was thrown',
    needs: 'remote-error',
    jobs: [fail],
    run: async (bench) => {
      const { remote } = await failureOf(invoke(bench, contractCall(fail)));
      bench.expect(remote?.name).toBe(CONTRACT_FAILURE.name);
      bench.expect(remote?.message).toBe(CONTRACT_FAILURE.message);
    },
  },
  {
    title: 'a failed call does not disturb the next one',
    jobs: [fail, echo],
    run: async (bench) => {
      await failureOf(invoke(bench, contractCall(fail)));
      await echoes(bench);
    },
  },
  {
    title: 'an unknown function is NOT_FOUND and did not run',
    jobs: [],
    run: async (bench) => {
      expectFacts(bench, await failureOf(invoke(bench, contractCall(unknown))), 'NOT_FOUND', ['no']);
    },
  },
  {
    title: 'a payload over the stated limit is refused before it is sent',
    needs: 'payload-limit',
    jobs: [echo],
    run: async (bench) => {
      const tooMuch = new Uint8Array((bench.executor.limits.maxPayloadBytes ?? 0) + 1);
      const error = await failureOf(invoke(bench, contractCall(echo, tooMuch)));
      expectFacts(bench, error, 'PAYLOAD_TOO_LARGE', ['no']);
      await echoes(bench);
    },
  },
  {
    title: 'a call that is cancelled before it starts does not run',
    jobs: [echo],
    run: async (bench) => {
      const context = callContext();
      context.cancel(cancelReason());
      expectFacts(bench, await failureOf(invoke(bench, contractCall(echo), context)), 'CANCELLED', ['no']);
    },
  },
  {
    title: 'a call that is cancelled while it runs ends at once and does not claim that it never ran',
    jobs: [hang],
    run: async (bench) => {
      const context = callContext();
      const outcome = failureOf(invoke(bench, contractCall(hang, LONG), context));
      await pause(100);
      context.cancel(cancelReason());
      expectFacts(bench, await outcome, 'CANCELLED', ['maybe', 'yes']);
    },
  },
  {
    title: 'a call whose deadline passes ends with TIMEOUT',
    jobs: [hang],
    run: async (bench) => {
      const context = callContext({ timeoutMs: 200 });
      const call = contractCall(hang, LONG, { deadline: context.deadline });
      expectFacts(bench, await failureOf(invoke(bench, call, context)), 'TIMEOUT', ['maybe', 'yes']);
    },
  },
  {
    title: 'the answer of a cancelled call reaches nobody',
    jobs: [hang, echo],
    run: async (bench) => {
      const context = callContext();
      const outcome = failureOf(invoke(bench, contractCall(hang, '200'), context));
      await pause(100);
      context.cancel(cancelReason());
      await outcome;
      for (let turn = 0; turn < 6; turn++) {
        await echoes(bench);
        await pause(30);
      }
    },
  },
  {
    title: 'cancelling one call leaves its neighbours alone',
    jobs: [hang],
    run: async (bench) => {
      const contexts = [callContext(), callContext(), callContext()];
      const [first, second, third] = contexts.map((context) =>
        invoke(bench, contractCall(hang, '300'), context).then(
          ({ result }) => toText(result),
          (error: FaasError) => error.code,
        ),
      );
      await pause(100);
      contexts[1]?.cancel(cancelReason());
      bench.expect(await second).toBe('CANCELLED');
      bench.expect([await first, await third]).toEqual(['waited', 'waited']);
    },
  },
  {
    title: 'no error shows a secret or a byte of the payload',
    jobs: [echo, fail, hang],
    run: async (bench) => {
      const expired = callContext({ timeoutMs: 200 });
      const errors = await Promise.all([
        failureOf(invoke(bench, contractCall(fail, CANARY))),
        failureOf(invoke(bench, contractCall(unknown, CANARY))),
        failureOf(invoke(bench, contractCall(hang, LONG), expired)),
      ]);
      for (const error of errors) {
        const shown = show(error, { depth: 10, showHidden: true }) + JSON.stringify(error);
        for (const secret of [CANARY, ...(bench.subject.secrets ?? [])]) {
          bench.expect(shown.includes(secret) ? `leaked in ${error.code}` : 'kept').toBe('kept');
        }
      }
    },
  },
  {
    title: 'closing twice is fine',
    jobs: [echo],
    run: async (bench) => {
      await echoes(bench);
      await bench.executor.close?.();
      await bench.executor.close?.();
    },
  },
  {
    title: 'a call after close is a CONFIG error that did not run',
    jobs: [echo],
    run: async (bench) => {
      await bench.executor.close?.();
      expectFacts(bench, await failureOf(invoke(bench, contractCall(echo))), 'CONFIG', ['no']);
    },
  },
];
