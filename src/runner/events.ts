/** What a runner tells about itself. Tracing and metrics listen; nothing here changes what it does. */
import type { FaasError } from '../core/errors.js';
import type { FaasInvoker } from '../core/executor.js';
import type { JobId } from '../core/job.js';
import type { Outcome } from './outcome.js';

/** Which call an event is about. */
export interface CallEvent {
  readonly jobId: JobId;
  readonly jobName: string;
  readonly callId: string;
}

/**
 * Event name -> arguments of its listeners. They are called at once and not waited for; one that throws or rejects
 * becomes a warning of the process. So does the first `producerError`, `ackError`, `consumerError`, `parked`,
 * `serviceError` and `shutdownError` that has no listener.
 */
export interface RunnerEvents {
  /** The services run and the first item is about to be taken. */
  started: [];
  /** An item of a producer became a call. */
  accepted: [CallEvent];
  /** An attempt starts. */
  attempt: [CallEvent & { readonly attempt: number; readonly ranOn: string }];
  /** The FaaS did not run it; the local handler will. */
  fallback: [CallEvent & { readonly error: FaasError }];
  /** A call ended; its outcome is about to be offered to the consumers. */
  outcome: [Outcome];
  /** A producer threw, or did not end when the runner stopped. The others go on. */
  producerError: [{ readonly producer: string; readonly error: unknown; readonly restartInMs?: number }];
  /** The `ack` or `nack` of an item failed: its producer may offer it again. */
  ackError: [
    { readonly call: 'ack' | 'nack'; readonly error: unknown; readonly outcome: Outcome | undefined },
  ];
  /** One delivery failed; it will be tried again unless a `parked` event follows. */
  consumerError: [{ readonly consumer: string; readonly error: unknown; readonly outcome: Outcome }];
  /**
   * A consumer did not take this outcome. Unless its `onParked` keeps it, nobody does: a listener is told, but not waited
   * for.
   */
  parked: [{ readonly consumer: string; readonly outcome: Outcome; readonly reason: string }];
  /** A background service threw, or did not end when the runner stopped. The runner goes on. */
  serviceError: [{ readonly service: string; readonly error: unknown }];
  /** A background service ended by itself. */
  serviceEnded: [{ readonly service: string }];
  /** A shutdown handler threw. The next one runs all the same. */
  shutdownError: [{ readonly handler: string; readonly error: unknown }];
  /** `register` sent a job to an executor. */
  registered: [{ readonly jobId: JobId; readonly executor: FaasInvoker }];
  /** `unregister` brought a job back to its local handler. */
  unregistered: [{ readonly jobId: JobId }];
  /** No more items are taken; what was accepted is being finished. */
  draining: [];
  /** The shutdown handlers have run; `run()` is about to return. */
  stopped: [];
}
