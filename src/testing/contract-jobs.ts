/** The small jobs the executor contract runs. Deploy this very file to the executor under test. */
import { type AnyJob, defineJob, type JobContext } from '../core/define-job.js';
import { FaasError } from '../core/errors.js';

const toBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const toText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

export const CONTRACT_IDS = {
  echo: 7001,
  fail: 7002,
  hang: 7003,
  inspect: 7004,
  count: 7005,
  /** Never deployed. */
  unknown: 7999,
} as const;

/** What `fail` throws. */
export const CONTRACT_FAILURE = { name: 'TypeError', message: 'the contract job failed as it was asked to' };

/** Ids that meet in one byte, in one digit or at the ends of the range. */
export const CONFUSABLE_IDS = [0, 1, 255, 256, 300, 65_535, 65_536, 4_294_967_295] as const;

/** What `inspect` answers, as JSON. */
export interface Inspection {
  readonly jobId: number;
  readonly callId: string;
  readonly attempt: number;
  /** Epoch milliseconds; null for none. */
  readonly deadline: number | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Returns its input. */
export const echo = defineJob({
  id: CONTRACT_IDS.echo,
  name: 'contract-echo',
  codec: 'bytes',
  handler: (input: Uint8Array): Uint8Array => input,
});

/** What `fail` is told to pass on a refusal, as of an executor that the handler itself called. */
export const PASS_ON_A_REFUSAL = 'refusal';

/** Throws a TypeError whose text holds nothing of the input, or the refusal that it is asked for. */
export const fail = defineJob({
  id: CONTRACT_IDS.fail,
  name: 'contract-fail',
  codec: 'bytes',
  handler: (input: Uint8Array): Uint8Array => {
    if (toText(input) === PASS_ON_A_REFUSAL) {
      throw new FaasError({ code: 'THROTTLED', executed: 'no', message: 'somebody else is busy' });
    }
    throw new TypeError(CONTRACT_FAILURE.message);
  },
});

/** Waits as many milliseconds as its input says, or until its signal aborts. */
export const hang = defineJob({
  id: CONTRACT_IDS.hang,
  name: 'contract-hang',
  codec: 'bytes',
  handler: async (input: Uint8Array, { signal }: JobContext): Promise<Uint8Array> => {
    await new Promise<void>((resolve) => {
      const stop = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(stop, Number(toText(input)));
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
    });
    return toBytes('waited');
  },
});

/** Returns what the function knows about its call. */
export const inspect = defineJob({
  id: CONTRACT_IDS.inspect,
  name: 'contract-inspect',
  codec: 'bytes',
  handler: (_input: Uint8Array, { jobId, callId, attempt, deadline, metadata }: JobContext): Uint8Array => {
    const inspection: Inspection = {
      jobId,
      callId,
      attempt,
      deadline: Number.isFinite(deadline) ? deadline : null,
      metadata,
    };
    return toBytes(JSON.stringify(inspection));
  },
});

let runs = 0;

/** Returns how often this instance has run it, this time included. */
export const count = defineJob({
  id: CONTRACT_IDS.count,
  name: 'contract-count',
  codec: 'bytes',
  handler: (_input: Uint8Array): Uint8Array => {
    runs += 1;
    return toBytes(String(runs));
  },
});

// Each says its own id from here, not from the call: an executor that mixes ids up is found out.
const confusable = (id: number) =>
  defineJob({ id, name: `contract-id-${id}`, codec: 'bytes', handler: () => toBytes(String(id)) });
export const id0 = confusable(0);
export const id1 = confusable(1);
export const id255 = confusable(255);
export const id256 = confusable(256);
export const id300 = confusable(300);
export const id65535 = confusable(65_535);
export const id65536 = confusable(65_536);
export const id4294967295 = confusable(4_294_967_295);

export const contractJobs: readonly AnyJob[] = [
  echo,
  fail,
  hang,
  inspect,
  count,
  id0,
  id1,
  id255,
  id256,
  id300,
  id65535,
  id65536,
  id4294967295,
];
