/** `jobferry/resources`: functions and secrets as data. A pure core that plans, providers that do, a state that remembers. */
export { type ApplyOptions, type ApplyProgress, type ApplyResult, apply, outputsOf } from './apply.js';
export { type CodeOptions, type PackFiles, readCodes, readSecretValues } from './code.js';
export type { CodeFile } from './code-files.js';
export { CONFIG_RANGES } from './core/config-rules.js';
export { type Change, functionChanges, secretChanges, UPDATE_GROUPS, type UpdateGroup } from './core/diff.js';
export { type Endpoint, endpointFaults, withEndpoints } from './core/endpoints.js';
export type { Fault } from './core/fault.js';
export {
  type Address,
  type Declarations,
  type Desired,
  type DesiredConfig,
  type DesiredFunction,
  type DesiredSecret,
  declare,
  type FunctionConfigDeclaration,
  type FunctionDeclaration,
  type SecretDeclaration,
} from './core/model.js';
export { withMoves } from './core/move.js';
export { type Action, type ActionKind, hasChanges, type Plan, type PlanOptions, plan } from './core/plan.js';
export { DEFAULT_PROVIDER, type Inputs, jobIdOf, resolveDeclarations } from './core/resolve.js';
export { type Hardware, RUNTIMES, type RuntimeInfo, runtimeNamed, runtimesFor } from './core/runtimes.js';
export {
  emptyState,
  type FunctionAttributes,
  type FunctionResource,
  type Resource,
  type SecretAttributes,
  type SecretResource,
  type State,
  stateFromJson,
  stateToJson,
  withResource,
} from './core/state.js';
export { VARIABLE_NAME, validate } from './core/validate.js';
export { importResource } from './import.js';
export type { Code, FunctionStatus, RemoteFunction, ResourceProvider, SecretStore } from './provider.js';
export { type E2ePlatformOptions, e2ePlatformProvider } from './providers/e2e-platform.js';
export { type LifecycleProviderOptions, lifecycleProvider } from './providers/lifecycle.js';
export { type Drift, type Refreshed, refresh } from './refresh.js';
export type { RunOptions } from './run.js';
export { checkSource, describeFault, type LoadModule, readSource, type Source } from './source.js';
export { type LockInfo, readState, type StateBackend, withLock, writeState } from './state/backend.js';
export { FileBackend } from './state/file-backend.js';
export { openStateBackend } from './state/open.js';
export { PostgresBackend, type PostgresBackendOptions } from './state/postgres-backend.js';
export { S3Backend, type S3BackendOptions } from './state/s3-backend.js';
export { DEFAULT_WAITS, type WaitOptions } from './waits.js';
