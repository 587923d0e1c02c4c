/** Where a function stands: what AWS's two state machines (State and LastUpdateStatus) mean for a deploy. */
import type { FunctionConfiguration } from '@aws-sdk/client-lambda';
import { FaasError } from '../../core/errors.js';
import type { Health } from '../../core/executor.js';
import { PROVIDER } from './options.js';

/** `busy` refuses changes and calls; a state that AWS adds some day counts as busy, and the deadline decides. */
export type Standing = 'busy' | 'ready' | 'failed';

export function standingOf({ State, LastUpdateStatus }: FunctionConfiguration): Standing {
  if (LastUpdateStatus === 'InProgress') return 'busy';
  if (State === 'Failed' || LastUpdateStatus === 'Failed') return 'failed';
  // Inactive: AWS took the instances back after weeks without a call, and gives them again at the next one.
  const isUp = State === undefined || State === 'Active' || State === 'Inactive';
  return isUp ? 'ready' : 'busy';
}

/** The states, AWS's own reason, and what can be done where its code says it. */
export function reasonOf(current: FunctionConfiguration): string {
  const { State, LastUpdateStatus } = current;
  const ofUpdate = LastUpdateStatus === 'Failed' || LastUpdateStatus === 'InProgress';
  const code = ofUpdate ? current.LastUpdateStatusReasonCode : current.StateReasonCode;
  const text = ofUpdate ? current.LastUpdateStatusReason : current.StateReason;
  const states = [State && `State ${State}`, LastUpdateStatus && `LastUpdateStatus ${LastUpdateStatus}`];
  const advice = code === undefined ? undefined : ADVICE.get(code);
  const why = [code, text?.replace(/\.$/, ''), advice].filter(Boolean).join(': ');
  return [states.filter(Boolean).join(', '), why].filter(Boolean).join('; ');
}

export function healthOf(current: FunctionConfiguration): Health {
  const standing = standingOf(current);
  return standing === 'ready' ? { status: 'healthy' } : { status: 'unhealthy', reason: reasonOf(current) };
}

export function failedError(functionName: string, current: FunctionConfiguration): FaasError {
  return new FaasError({
    code: 'CONFIG',
    executed: 'no',
    provider: PROVIDER,
    functionName,
    message: `${functionName} did not become ready on Lambda: ${reasonOf(current)}.`,
  });
}

const ADVICE: ReadonlyMap<string, string> = new Map([
  ['InvalidRuntime', 'choose another `aws.runtime`'],
  ['InvalidZipFileException', 'package it again'],
  ['InsufficientRolePermissions', 'give the role the permissions to manage network interfaces'],
  ['EniLimitExceeded', 'raise the limit of network interfaces'],
  ['SubnetOutOfIPAddresses', 'use larger or more subnets'],
  ['InvalidSubnet', 'check `aws.vpc.subnetIds`'],
  ['InvalidSecurityGroup', 'check `aws.vpc.securityGroupIds`'],
  ['KMSKeyAccessDenied', 'let the role use `aws.kmsKeyArn`'],
  ['DisabledKMSKey', 'enable `aws.kmsKeyArn`'],
  ['FunctionError.InitTimeout', 'the code takes too long to load'],
  ['FunctionError.RuntimeInitError', 'the code fails while it is loaded: look at its log'],
  ['FunctionError.InvalidEntryPoint', 'check `aws.handler`'],
  ['FunctionError.PermissionDenied', 'the file of the handler cannot be executed'],
]);
