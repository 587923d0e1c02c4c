/** `jobferry/testing`: prove an executor, and the tools to do it with. Imports no executor and no test runner. */
export {
  type ChaosProxy,
  type ChaosProxyOptions,
  chaosProxy,
  type Fault,
  type FaultKind,
} from './chaos-proxy.js';
export {
  CONFUSABLE_IDS,
  CONTRACT_FAILURE,
  CONTRACT_IDS,
  contractJobs,
  type Inspection,
} from './contract-jobs.js';
export type {
  ContractCapability,
  ContractExpect,
  ContractOptions,
  ContractSubject,
  ContractTest,
} from './contract-types.js';
export { executorContract } from './executor-contract.js';
export {
  type FakeFeature,
  type FakeFunction,
  type FakePlatform,
  type FakePlatformOptions,
  type FakeRequest,
  fakePlatform,
  type ScriptedReply,
} from './fake-platform.js';
export { seededRandom } from './seeded-random.js';
