/** Claims in place of the args, or the result, of a call. The claim check layer is the one end, every entry the other. */
import { type Claim, isClaim, putClaim, readClaimBytes } from './claim.js';
import { ARGS, isMarked, RESULT, RESULTS_ABOVE, TTL, withoutMarks } from './claim-marks.js';
import { FaasError } from './errors.js';
import type { JobCall, Metadata } from './job.js';
import type { ObjectStore } from './object-store.js';

export function encodeClaim({ claim, bytes, sha256 }: Claim): Uint8Array {
  return Buffer.from(JSON.stringify({ claim, bytes, sha256 }));
}

/** @throws {FaasError} PROTOCOL for bytes that are no claim */
export function decodeClaim(bytes: Uint8Array, what: string): Claim {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch {
    value = undefined;
  }
  if (isClaim(value)) return value;
  const message = `${what} (${bytes.length} bytes) is marked as a claim and is none.`;
  throw new FaasError({ code: 'PROTOCOL', executed: 'no', message });
}

interface Answer {
  readonly result: Uint8Array;
  readonly metadata: Metadata;
}

/**
 * The function's side: fetches the args before `run`, stores the result after it where it is too large.
 * @param openStore called only for a call that is marked
 * @throws {FaasError} `executed: no` when the args cannot be fetched, `yes` when the result cannot be stored
 */
export async function runClaimed(
  call: JobCall,
  openStore: () => Promise<ObjectStore>,
  run: (call: JobCall) => Promise<Answer>,
): Promise<Answer> {
  const { metadata } = call;
  if (!isMarked(metadata)) return run(call);
  const options = call.deadline === Infinity ? {} : { signal: timeoutSignal(call.deadline) };
  const isClaimed = metadata[ARGS] === '1';
  const store = await openStore();
  const args = isClaimed
    ? await readClaimBytes(store, decodeClaim(call.args, 'The input'), options)
    : call.args;
  const plain = Object.create(call, {
    args: { value: args, enumerable: true },
    metadata: { value: withoutMarks(metadata), enumerable: true },
  }) as JobCall;
  const answer = await run(plain);
  if (answer.result.length <= Number(metadata[RESULTS_ABOVE])) return answer;
  try {
    const claim = await putClaim(store, answer.result, { ...options, ttlSecs: Number(metadata[TTL]) });
    return { result: encodeClaim(claim), metadata: { ...answer.metadata, [RESULT]: '1' } };
  } catch (cause) {
    throw FaasError.is(cause) ? cause.with({ executed: 'yes' }) : cause;
  }
}

function timeoutSignal(deadline: number): AbortSignal {
  return AbortSignal.timeout(Math.min(Math.max(0, Math.ceil(deadline - Date.now())), 2 ** 31 - 1));
}
