/** claimCheck: bytes too large for a request wait in an object store, and the request carries a claim for them. */
import { putClaim, readClaimBytes } from '../core/claim.js';
import { decodeClaim, encodeClaim } from '../core/claim-calls.js';
import { markCall, resultIsClaim, withoutMarks } from '../core/claim-marks.js';
import { FaasError } from '../core/errors.js';
import type { CallContext, FaasInvoker, ProviderLimits } from '../core/executor.js';
import type { JobCall, JobResult } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import type { ObjectStore } from '../core/object-store.js';
import { checkOption, configError, wrap } from './wrap.js';

/** Options of `claimCheck`. */
export interface ClaimCheckOptions {
  /** The functions open the same store by `JOBFERRY_CLAIM_STORE` in their environment: its value is `store.url`. */
  readonly store: ObjectStore;
  /** Input and output above this many bytes are stored. Default: the limits of the executor inside. */
  readonly aboveBytes?: number;
  /** Seconds that objects live; longer than any call waits and runs. Default 86 400, a day. See `sweeper`. */
  readonly ttlSecs?: number;
}

const DAY_SECS = 24 * 60 * 60;

/**
 * The limits of the wrapped executor no longer hold for input and output; only memory does, on both sides.
 * Functions must be packages of this version or later: an older entry takes the claim itself for the input.
 * @throws {FaasError} CONFIG at once for an option out of range, or without `aboveBytes` around an executor that
 * states no limit; what the store throws, with `executed: no` before the call was sent and `yes` after it
 */
export function claimCheck({ store, aboveBytes, ttlSecs = DAY_SECS }: ClaimCheckOptions): Layer {
  if (aboveBytes !== undefined) checkOption('claimCheck', 'aboveBytes', aboveBytes, '0 or more');
  checkOption('claimCheck', 'ttlSecs', ttlSecs, 'above 0');
  return (inner) => {
    const argsAboveBytes = aboveBytes ?? inner.limits.maxPayloadBytes ?? noLimit(inner);
    const resultsAboveBytes = aboveBytes ?? inner.limits.maxResultBytes ?? argsAboveBytes;

    const invoke = async (call: JobCall, context: CallContext): Promise<JobResult> => {
      const { provider } = inner;
      const argsAreClaim = call.args.length > argsAboveBytes;
      const claimed = { metadata: markCall(call.metadata, { argsAreClaim, resultsAboveBytes, ttlSecs }) };
      const args = argsAreClaim
        ? await stored('no', provider, async () =>
            encodeClaim(await putClaim(store, call.args, { signal: context.signal, ttlSecs })),
          )
        : call.args;
      const result = await inner.invoke(
        Object.create(call, {
          args: { value: args, enumerable: true },
          metadata: { value: claimed.metadata, enumerable: true },
        }),
        context,
      );
      const metadata = withoutMarks(result.metadata);
      if (!resultIsClaim(result.metadata)) return { ...result, metadata };
      const bytes = await stored('yes', provider, () =>
        readClaimBytes(store, decodeClaim(result.result, 'The output'), { signal: context.signal }),
      );
      return { ...result, result: bytes, metadata };
    };

    return Object.create(wrap(inner, invoke), { limits: { get: () => withoutByteLimits(inner.limits) } });
  };
}

/** Work on the store, whose errors know nothing of the function: did it run? */
async function stored<Value>(
  executed: 'no' | 'yes',
  provider: string,
  work: () => Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (cause) {
    if (!FaasError.is(cause)) throw cause;
    throw cause.with({ executed, provider });
  }
}

function withoutByteLimits({
  maxPayloadBytes: _1,
  maxResultBytes: _2,
  ...limits
}: ProviderLimits): ProviderLimits {
  return limits;
}

function noLimit({ provider }: FaasInvoker): never {
  throw configError(`claimCheck: ${provider} states no limit for its input. Give aboveBytes.`);
}
