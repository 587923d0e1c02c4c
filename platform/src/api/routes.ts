/** Which URL means what. Paths are split before they are decoded, so an encoded slash or dot can never move a path. */

import { PlatformError } from '../domain/errors.js';
import { functionIdOfJob, parseFunctionId } from '../domain/function-id.js';

export type FunctionAction = 'deploy' | 'describe' | 'undeploy' | 'health' | 'warm' | 'invoke' | 'logs';
export type InvocationAction = 'describe-invocation' | 'result' | 'cancel';
export type ListAction = 'capabilities' | 'list-functions' | 'list-invocations';
export type Action = FunctionAction | InvocationAction | ListAction;

export type Route = { readonly query: URLSearchParams } & (
  | { readonly action: ListAction }
  | {
      readonly action: FunctionAction;
      readonly functionId: string;
      /** Of `/job/{n}`, where the path names the job and not the function. */
      readonly jobId?: number;
    }
  | { readonly action: InvocationAction; readonly invocationId: string }
);

type Methods<A extends Action> = Readonly<Record<string, A>>;

const API: Methods<ListAction> = { GET: 'capabilities', HEAD: 'capabilities' };
const FUNCTIONS: Methods<ListAction> = { GET: 'list-functions', HEAD: 'list-functions' };
const FUNCTION: Methods<FunctionAction> = {
  PUT: 'deploy',
  GET: 'describe',
  HEAD: 'describe',
  DELETE: 'undeploy',
};
const FUNCTION_PARTS: Readonly<Record<string, Methods<FunctionAction>>> = {
  invoke: { POST: 'invoke', HEAD: 'health' },
  health: { GET: 'health', HEAD: 'health' },
  warm: { POST: 'warm' },
  logs: { GET: 'logs', HEAD: 'logs' },
};
const JOB: Methods<FunctionAction> = { POST: 'invoke', HEAD: 'health' };
const INVOCATIONS: Methods<ListAction> = { GET: 'list-invocations', HEAD: 'list-invocations' };
const INVOCATION: Methods<InvocationAction> = { GET: 'describe-invocation', HEAD: 'describe-invocation' };
const INVOCATION_PARTS: Readonly<Record<string, Methods<InvocationAction>>> = {
  result: { GET: 'result', HEAD: 'result' },
  cancel: { POST: 'cancel' },
};

/** @throws PlatformError NOT_FOUND, METHOD_NOT_ALLOWED or INVALID_NAME */
export function findRoute(method: string, rawUrl: string): Route {
  const [path = '', queryText = ''] = splitOnce(rawUrl, '?');
  const query = new URLSearchParams(queryText);
  const [root, first, second, third, fourth, ...more] = path.split('/');
  if (root !== '' || more.length > 0) throw notFound(path);
  if (first === 'api' && second === undefined) return { action: actionFor(method, API), query };
  if (first === 'api' && second === 'functions') {
    if (third === undefined) return { action: actionFor(method, FUNCTIONS), query };
    const methods = fourth === undefined ? FUNCTION : own(FUNCTION_PARTS, fourth);
    if (methods === undefined) throw notFound(path);
    return { action: actionFor(method, methods), functionId: parseFunctionId(third), query };
  }
  if (first === 'api' && second === 'invocations') {
    if (third === undefined) return { action: actionFor(method, INVOCATIONS), query };
    const methods = fourth === undefined ? INVOCATION : own(INVOCATION_PARTS, fourth);
    if (methods === undefined) throw notFound(path);
    return { action: actionFor(method, methods), invocationId: decoded(third), query };
  }
  if (first === 'job' && second !== undefined && third === undefined) {
    const action = actionFor(method, JOB);
    const functionId = functionIdOfJob(second);
    return { action, functionId, jobId: Number(functionId.slice('job'.length)), query };
  }
  throw notFound(path);
}

function actionFor<A extends Action>(method: string, methods: Methods<A>): A {
  const action = own(methods, method);
  if (action === undefined) throw notAllowed(method, Object.keys(methods));
  return action;
}

/** A look-up that does not find what every object inherits. */
function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** An invocation id is only ever looked up, so one that is no id is simply not found. */
function decoded(rawSegment: string): string {
  try {
    return decodeURIComponent(rawSegment);
  } catch {
    return '';
  }
}

function splitOnce(text: string, mark: string): [string, string?] {
  const at = text.indexOf(mark);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function notFound(path: string): PlatformError {
  return new PlatformError('NOT_FOUND', 'There is no such route.', { details: { path: path.slice(0, 200) } });
}

function notAllowed(method: string, allowed: readonly string[]): PlatformError {
  return new PlatformError('METHOD_NOT_ALLOWED', `${method} is not allowed here.`, {
    details: { allow: allowed },
  });
}
