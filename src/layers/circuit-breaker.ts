/** circuitBreaker: stops sending to a provider that fails every time, and tries it again with one call. */
import { FaasError } from '../core/errors.js';
import type { JobCall, JobId } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import { Circuit, type CircuitSettings, type CircuitState } from './circuit.js';
import { checkCount, checkOption, tell, wrap } from './wrap.js';

export type { CircuitState };

/** A circuit that changed its state. */
export interface CircuitEvent {
  /** The provider id of the executor inside. */
  readonly provider: string;
  readonly jobId: JobId;
  /** `closed`: calls pass. `open`: none does. `half-open`: one is on its way to see. */
  readonly from: CircuitState;
  readonly to: CircuitState;
}

/** Options of `circuitBreaker`, all with a default. */
export interface CircuitBreakerOptions {
  /** Provider faults in a row, without an answer in between, that open the circuit. Default 5. */
  readonly failureThreshold?: number;
  /** A row of faults is forgotten when this many milliseconds pass without another. Default 60 000. */
  readonly windowMs?: number;
  /** Milliseconds an open circuit waits before it lets one call through. Default 10 000. */
  readonly halfOpenAfterMs?: number;
  /** Which errors are the provider's fault. Default: UNAVAILABLE, PROTOCOL, and TIMEOUT unless the function ran. */
  readonly isFailure?: (error: FaasError) => boolean;
  /** Monotonic milliseconds. Default `performance.now`. */
  readonly now?: () => number;
  /** What it throws becomes a warning of the process. */
  readonly onStateChange?: (event: CircuitEvent) => void;
}

/**
 * One circuit per executor and job, so that one broken function does not stop the others. An open circuit
 * rejects with REJECTED, `executed: no` and the time left as `retryAfterMs`, or a tenth of `halfOpenAfterMs` while the
 * one call that tries is on its way; a retry layer outside, such as the
 * runner's own, waits that long and sends the call then. What a function itself throws proves that its provider works
 * and closes the circuit.
 * @throws {FaasError} CONFIG at once for an option out of range.
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): Layer {
  const settings: CircuitSettings = {
    failureThreshold: options.failureThreshold ?? 5,
    windowMs: options.windowMs ?? 60_000,
    halfOpenAfterMs: options.halfOpenAfterMs ?? 10_000,
    now: options.now ?? (() => performance.now()),
  };
  const isFailure = options.isFailure ?? isProviderFault;
  checkCount('circuitBreaker', 'failureThreshold', settings.failureThreshold, 1);
  checkOption('circuitBreaker', 'windowMs', settings.windowMs, 'above 0');
  checkOption('circuitBreaker', 'halfOpenAfterMs', settings.halfOpenAfterMs, 'above 0');

  return (inner) => {
    const circuits = new Map<JobId, Circuit>();
    const circuitOf = (jobId: JobId): Circuit => {
      let circuit = circuits.get(jobId);
      if (circuit === undefined) {
        circuit = new Circuit(settings, (from, to) =>
          tell('onStateChange', options.onStateChange, { provider: inner.provider, jobId, from, to }),
        );
        circuits.set(jobId, circuit);
      }
      return circuit;
    };
    return wrap(inner, async (call, context) => {
      const circuit = circuitOf(call.jobId);
      const waitMs = circuit.waitMs();
      if (waitMs > 0) throw openError(inner.provider, call, waitMs);
      const pass = circuit.enter();
      try {
        const result = await inner.invoke(call, context);
        circuit.answered(pass);
        return result;
      } catch (error) {
        if (FaasError.is(error) && isFailure(error)) circuit.failed(pass);
        else if (FaasError.is(error) && error.executed === 'yes') circuit.answered(pass);
        else circuit.undecided(pass);
        throw error;
      }
    });
  };
}

/** Faults of the provider, not of the function or of the caller. THROTTLED is a provider that works. */
function isProviderFault(error: FaasError): boolean {
  if (error.code === 'TIMEOUT') return error.executed !== 'yes';
  return error.code === 'UNAVAILABLE' || error.code === 'PROTOCOL';
}

function openError(provider: string, call: JobCall, waitMs: number): FaasError {
  return new FaasError({
    code: 'REJECTED',
    executed: 'no',
    provider,
    retryAfterMs: Math.ceil(waitMs),
    message: `The circuit to ${provider} is open for job ${call.jobId} after repeated failures; the next try is in ${Math.ceil(waitMs)} ms.`,
  });
}
