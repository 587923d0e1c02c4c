/** The runner, as its calls see it. */
import type { FaasError } from '../core/errors.js';
import type { RunningCall } from './running-call.js';

export interface CallOwner {
  newCallId(): string;
  onWaiting(call: RunningCall): void;
  onNoLongerWaiting(call: RunningCall): void;
  onAttempt(call: RunningCall, ranOn: string): void;
  onFallback(call: RunningCall, error: FaasError): void;
  onSettled(call: RunningCall): void;
  onDelivered(call: RunningCall): void;
  /** A place in a gate came back after its call had settled. */
  onPlaceFreed(): void;
  /** Something threw where nothing may: a bug of ours, which must neither hide nor stop the runner. */
  onDefect(error: unknown): void;
}
