/** What a runner tells about itself. Tracing and metrics listen; nothing here changes what it does. */
import type { FaasError } from '../core/errors.js';
import type { FaasInvoker } from '../core/executor.js';
import type { JobId } from '../core/job.js';
import type { Outcome } from './outcome.js';

export interface CallEvent {
  readonly jobId: JobId;
  readonly jobName: string;
  readonly callId: string;
}

/** Event name -> arguments of its listeners. */
export interface RunnerEvents {
  /** The services run and the first item is about to be taken. */
  started: [];
  /** An item of a producer became a call. */
  accepted: [CallEvent];
  /** An attempt starts. */
  attempt: [CallEvent & { readonly attempt: number; readonly ranOn: string }];
  /** The FaaS did not run it; the local handler will. */
  fallback: [CallEvent & { readonly error: FaasError }];
  outcome: [Outcome];
  /** A producer threw, or its `ack`/`nack` did. The others go on. */
  producerError: [{ readonly producer: string; readonly error: unknown; readonly restartInMs?: number }];
  /** One delivery failed; it will be tried again unless a `parked` event follows. */
  consumerError: [{ readonly consumer: string; readonly error: unknown; readonly outcome: Outcome }];
  /** A consumer did not take this outcome: keep it if you need it, nobody else will. */
  parked: [{ readonly consumer: string; readonly outcome: Outcome; readonly reason: string }];
  serviceError: [{ readonly service: string; readonly error: unknown }];
  serviceEnded: [{ readonly service: string }];
  registered: [{ readonly jobId: JobId; readonly executor: FaasInvoker }];
  unregistered: [{ readonly jobId: JobId }];
  /** No more items are taken; what was accepted is being finished. */
  draining: [];
  stopped: [];
}
