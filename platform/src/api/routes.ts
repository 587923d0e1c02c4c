/** Which URL means what. Paths are split before they are decoded, so an encoded slash or dot can never move a path. */

import { PlatformError } from '../domain/errors.js';
import { functionIdOfJob, parseFunctionId } from '../domain/function-id.js';

export type FunctionAction = 'deploy' | 'describe' | 'undeploy' | 'health' | 'warm' | 'invoke';

export type Route =
  | { readonly action: 'capabilities' }
  | { readonly action: FunctionAction; readonly functionId: string; readonly query: URLSearchParams };

type Methods = Readonly<Record<string, FunctionAction>>;

const FUNCTION: Methods = { PUT: 'deploy', GET: 'describe', HEAD: 'describe', DELETE: 'undeploy' };
const FUNCTION_PARTS: Readonly<Record<string, Methods>> = {
  invoke: { POST: 'invoke', HEAD: 'health' },
  health: { GET: 'health', HEAD: 'health' },
  warm: { POST: 'warm' },
};
const JOB: Methods = { POST: 'invoke', HEAD: 'health' };

/** @throws PlatformError NOT_FOUND, METHOD_NOT_ALLOWED or INVALID_NAME */
export function findRoute(method: string, rawUrl: string): Route {
  const [path = '', query = ''] = splitOnce(rawUrl, '?');
  const [root, first, second, third, ...more] = path.split('/');
  if (root !== '' || more.length > 1) throw notFound(path);
  if (first === 'api' && second === undefined) {
    if (method !== 'GET' && method !== 'HEAD') throw notAllowed(method, ['GET', 'HEAD']);
    return { action: 'capabilities' };
  }
  if (first === 'api' && second === 'functions' && third !== undefined) {
    const part = more[0];
    const methods = part === undefined ? FUNCTION : own(FUNCTION_PARTS, part);
    if (methods === undefined) throw notFound(path);
    return {
      action: actionFor(method, methods),
      functionId: parseFunctionId(third),
      query: new URLSearchParams(query),
    };
  }
  if (first === 'job' && second !== undefined && third === undefined) {
    return {
      action: actionFor(method, JOB),
      functionId: functionIdOfJob(second),
      query: new URLSearchParams(query),
    };
  }
  throw notFound(path);
}

function actionFor(method: string, methods: Methods): FunctionAction {
  const action = own(methods, method);
  if (action === undefined) throw notAllowed(method, Object.keys(methods));
  return action;
}

/** A look-up that does not find what every object inherits. */
function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
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
