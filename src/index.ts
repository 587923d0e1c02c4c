/** The front door: jobs, registry, runner, errors, layers' glue and every type they speak. No provider. */
export { bytesCodec, type Codec, jsonCodec } from './core/codec.js';
export {
  type AnyJob,
  type CallOptions,
  defineJob,
  isJob,
  type Job,
  type JobCodec,
  type JobContext,
  type JobDefinition,
  type JobHandler,
  type JobOptions,
  type JobRequest,
} from './core/define-job.js';
export { runHandler, runJob } from './core/entry.js';
export {
  type Executed,
  FaasError,
  type FaasErrorCode,
  type FaasErrorData,
  type FaasErrorOptions,
  functionError,
  type RemoteError,
} from './core/errors.js';
export type {
  Artifact,
  CallContext,
  Deployment,
  FaasExecutor,
  FaasInvoker,
  FaasLifecycle,
  FunctionConfig,
  Health,
  LogEntry,
  LogOptions,
  NumberRange,
  ProviderLimits,
} from './core/executor.js';
export {
  type CallMetrics,
  checkJobId,
  type JobCall,
  type JobId,
  type JobResult,
  type Metadata,
} from './core/job.js';
export { type Layer, withLayers } from './core/layer.js';
export { RetryBudget, type RetryBudgetOptions, type RetryPolicy } from './core/retry-policy.js';
export { CallScope, callContext } from './core/scope.js';
export type { StandardSchema } from './core/standard-schema.js';
export { FaasRegistry } from './registry.js';
export { JobRunnerBuilder, type UntypedOutcome } from './runner/builder.js';
export type { ConsumerOptions } from './runner/consumer-lane.js';
export type { CallEvent, RunnerEvents } from './runner/events.js';
export type { ProducerOptions, ProducerSource } from './runner/intake.js';
export type { NamedJobRequest, ProducerItem, UnreadableItem } from './runner/item.js';
export { JobRunner } from './runner/job-runner.js';
export type { Outcome, OutcomeOf, OutcomeStatus, Route, RunSummary } from './runner/outcome.js';
export type { BackgroundService, ServiceFunction } from './runner/services.js';
export { type StopOnSignalsOptions, stopOnSignals } from './runner/signals.js';
