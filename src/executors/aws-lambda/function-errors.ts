/** What a failed function left behind: `X-Amz-Function-Error` and a payload -> FaasError. */
import {
  type Executed,
  FaasError,
  type FaasErrorCode,
  isFaasErrorCode,
  type RemoteError,
} from '../../core/errors.js';
import { isObject } from '../shared/entry/event.js';
import type { Place } from '../shared/transport-error.js';
import type { LambdaReport } from './report.js';

interface Failure {
  readonly status: number;
  readonly requestId: string | undefined;
  /** From the log, when it was there. */
  readonly report: LambdaReport | undefined;
}

interface Meaning {
  readonly code: FaasErrorCode;
  readonly executed: Executed;
  readonly text: string;
}

/** The function could not be started, so no handler ran. */
const NOT_STARTED: Meaning = {
  code: 'CONFIG',
  executed: 'no',
  text: 'could not be started. Look at `runtime`, `handler` and the package, and deploy again',
};
const RAN_AND_FAILED: Meaning = { code: 'FUNCTION_ERROR', executed: 'yes', text: 'ran and failed' };
/** The process ended. It may have done so while it was starting, before it saw the call. */
const CRASHED: Meaning = { code: 'FUNCTION_ERROR', executed: 'maybe', text: 'ended its process' };
const OUT_OF_MEMORY: Meaning = {
  code: 'FUNCTION_ERROR',
  executed: 'maybe',
  text: 'ran out of memory. Raise `memoryMb`',
};
const TIMED_OUT: Meaning = {
  code: 'TIMEOUT',
  executed: 'maybe',
  text: 'ran out of time. Raise `timeoutSecs`',
};

/** By the error type that Lambda itself gives; what a handler throws has a type of its own. */
const BY_TYPE: ReadonlyMap<string, Meaning> = new Map([
  ['Sandbox.Timedout', TIMED_OUT],
  ['Runtime.OutOfMemory', OUT_OF_MEMORY],
  [
    'Function.ResponseSizeTooLarge',
    { code: 'PAYLOAD_TOO_LARGE', executed: 'yes', text: 'returned more than Lambda takes' },
  ],
  ['Runtime.ImportModuleError', NOT_STARTED],
  ['Runtime.HandlerNotFound', NOT_STARTED],
  ['Runtime.MalformedHandlerName', NOT_STARTED],
  ['Runtime.UserCodeSyntaxError', NOT_STARTED],
  ['Runtime.InvalidEntrypoint', NOT_STARTED],
  ['Runtime.InvalidWorkingDir', NOT_STARTED],
  ['Runtime.InvalidTaskRoot', NOT_STARTED],
  ['Extension.LaunchError', NOT_STARTED],
  ['Runtime.ExitError', CRASHED],
  ['Extension.Crash', CRASHED],
  ['Runtime.Unknown', CRASHED],
] satisfies [string, Meaning][]);

/** How the entry names an error that is one of ours, so that its facts survive: `FaasError.INVALID_REQUEST.no`. */
const OWN_TYPE = /^FaasError\.([A-Z_]+)\.(no|maybe|yes)$/;
export function ownType(error: FaasError): string {
  return `FaasError.${error.code}.${error.executed}`;
}

/** Reads `{errorMessage, errorType, stackTrace | trace}`; a payload that is none of this is described, not shown. */
export function functionFailure(payload: Buffer, failure: Failure, place: Place): FaasError {
  const remote = readRemote(payload);
  const meaning = meaningOf(remote, failure.report);
  return failureError(meaning, remote, failure, place);
}

/** Is this what a runtime reports of a failed handler: `{errorType, errorMessage, …}`? */
export function describesFailure(payload: Buffer): boolean {
  const fields = parse(payload);
  return (
    isObject(fields) && typeof fields['errorType'] === 'string' && typeof fields['errorMessage'] === 'string'
  );
}

/** The same for a reply with `success: false`, as runtimes of the custom-FaaS spec give it. */
export function reportedFailure(
  fields: Readonly<Record<string, unknown>>,
  failure: Failure,
  place: Place,
): FaasError {
  const remote = {
    name: text(fields['error_name'], 200) ?? 'Error',
    message: text(fields['error'], MAX_MESSAGE) ?? 'The function gave no reason.',
    ...stackOf(fields['error_stack']),
  };
  return failureError(meaningOf(remote, undefined), remote, failure, place);
}

function meaningOf(remote: RemoteError, report: LambdaReport | undefined): Meaning {
  const [, code, executed] = OWN_TYPE.exec(remote.name) ?? [];
  if (isFaasErrorCode(code)) {
    return { code, executed: executed as Executed, text: 'did not do its work' };
  }
  // Older runtimes put the time-out into the message only: "<date> <request id> Task timed out after 3.00 seconds".
  if (remote.name === 'Error' && /^\S+ \S+ Task timed out after [\d.]+ seconds$/.test(remote.message))
    return TIMED_OUT;
  const meaning = BY_TYPE.get(remote.name);
  if (meaning === CRASHED && isOutOfMemory(remote, report)) return OUT_OF_MEMORY;
  // A `Runtime.` error with a new name: Lambda's own, and when it happened is unknown.
  if (meaning === undefined && /^(Runtime|Sandbox|Extension|Function)\.[A-Z]\w+$/.test(remote.name))
    return CRASHED;
  return meaning ?? RAN_AND_FAILED;
}

/** A kill alone proves nothing: the report must say that the memory was full. */
function isOutOfMemory({ message }: RemoteError, report: LambdaReport | undefined): boolean {
  if (!message.includes('signal: killed')) return false;
  const { memoryUsedMb, memorySizeMb } = report ?? {};
  return memoryUsedMb !== undefined && memorySizeMb !== undefined && memoryUsedMb >= memorySizeMb;
}

function failureError(meaning: Meaning, remote: RemoteError, failure: Failure, place: Place): FaasError {
  const { provider, functionName } = place;
  return new FaasError({
    code: meaning.code,
    executed: meaning.executed,
    provider,
    functionName,
    status: failure.status,
    requestId: failure.requestId,
    remote,
    message: `${functionName} ${meaning.text} on ${provider}: ${remote.name}: ${remote.message}`,
  });
}

const MAX_MESSAGE = 2000;
const MAX_STACK = 8000;

function readRemote(payload: Buffer): RemoteError {
  const fields = parse(payload);
  if (!isObject(fields)) {
    return {
      name: 'Error',
      message: `The function failed with ${payload.length} bytes that do not describe an error.`,
    };
  }
  return {
    name: text(fields['errorType'], 200) ?? 'Error',
    message: text(fields['errorMessage'], MAX_MESSAGE) ?? 'The function gave no reason.',
    // Node.js runtimes say `trace`, the others `stackTrace`.
    ...stackOf(fields['stackTrace'] ?? fields['trace']),
  };
}

/** `undefined` for what is no JSON. */
function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}

function stackOf(value: unknown): { stack?: string } {
  const lines = Array.isArray(value) ? value.filter((line) => typeof line === 'string').join('\n') : value;
  const stack = text(lines, MAX_STACK);
  return stack === undefined ? {} : { stack };
}

function text(value: unknown, maxLength: number): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.length > maxLength ? `${value.slice(0, maxLength)}…` : value;
}
