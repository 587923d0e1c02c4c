/** Which URL of the E2E door means what: `/faas/api/v1/…` and `/faas/function/v1/{name}.{namespace}/…`. */

import { PlatformError } from '../../domain/errors.js';
import { WEB_METHODS } from '../web-call.js';

export type UpdateGroup = 'all' | 'code' | 'config' | 'environment' | 'metadata';
export type FunctionAction = 'read' | 'delete' | 'deploy' | 'scale' | 'logs' | 'metrics';
export type PlainAction = 'create' | 'list' | 'create-secret' | 'list-secrets' | 'runtimes';
export type SecretAction = 'read-secret' | 'update-secret' | 'delete-secret';

export type E2eRoute = { readonly query: URLSearchParams } & (
  | { readonly action: PlainAction }
  | { readonly action: FunctionAction; readonly id: string }
  | { readonly action: 'update'; readonly id: string; readonly group: UpdateGroup }
  | { readonly action: SecretAction; readonly name: string }
  | {
      readonly action: 'invoke';
      /** `{name}.{namespace}`. */
      readonly target: string;
      readonly path: string;
      readonly rawQuery: string;
    }
);

const GROUPS: readonly UpdateGroup[] = ['code', 'config', 'environment', 'metadata'];
const FUNCTION: Readonly<Record<string, FunctionAction | 'all'>> = {
  GET: 'read',
  HEAD: 'read',
  PUT: 'all',
  DELETE: 'delete',
};
const FUNCTION_PARTS: Readonly<Record<string, Readonly<Record<string, FunctionAction>>>> = {
  deploy: { POST: 'deploy' },
  scale: { POST: 'scale' },
  logs: { GET: 'logs', HEAD: 'logs' },
  metrics: { GET: 'metrics', HEAD: 'metrics' },
};
const LISTS: Readonly<Record<string, Readonly<Record<string, PlainAction>>>> = {
  functions: { POST: 'create', GET: 'list', HEAD: 'list' },
  secrets: { POST: 'create-secret', GET: 'list-secrets', HEAD: 'list-secrets' },
  runtimes: { GET: 'runtimes', HEAD: 'runtimes' },
};
const SECRET: Readonly<Record<string, SecretAction>> = {
  GET: 'read-secret',
  HEAD: 'read-secret',
  PUT: 'update-secret',
  DELETE: 'delete-secret',
};

/** @throws PlatformError NOT_FOUND, METHOD_NOT_ALLOWED */
export function findE2eRoute(method: string, url: string): E2eRoute {
  const mark = url.indexOf('?');
  const rawPath = mark === -1 ? url : url.slice(0, mark);
  const rawQuery = mark === -1 ? '' : url.slice(mark + 1);
  const query = new URLSearchParams(rawQuery);
  const invoke = /^\/faas\/function\/v1\/([^/]+)(\/.*)?$/.exec(rawPath);
  if (invoke !== null) {
    if (!WEB_METHODS.includes(method)) throw notAllowed(method, WEB_METHODS);
    const [, target = '', path = '/'] = invoke;
    return { action: 'invoke', target: decoded(target), path, rawQuery, query };
  }
  const [, below] = /^\/faas\/api\/v1\/(.+?)\/?$/.exec(rawPath) ?? [];
  const [kind = '', rawId, part, ...more] = (below ?? '').split('/');
  const list = own(LISTS, kind);
  if (list === undefined || more.length > 0) throw notFound(rawPath);
  if (rawId === undefined) return { action: actionFor(method, list), query };
  const id = decoded(rawId);
  if (kind === 'secrets' && part === undefined) return { action: actionFor(method, SECRET), name: id, query };
  if (kind !== 'functions') throw notFound(rawPath);
  if (part === undefined) {
    const action = actionFor(method, FUNCTION);
    return action === 'all' ? { action: 'update', group: 'all', id, query } : { action, id, query };
  }
  const group = GROUPS.find((one) => one === part);
  if (group !== undefined) {
    if (method !== 'PUT') throw notAllowed(method, ['PUT']);
    return { action: 'update', group, id, query };
  }
  const actions = own(FUNCTION_PARTS, part);
  if (actions === undefined) throw notFound(rawPath);
  return { action: actionFor(method, actions), id, query };
}

function actionFor<A>(method: string, actions: Readonly<Record<string, A>>): A {
  const action = own(actions, method);
  if (action === undefined) throw notAllowed(method, Object.keys(actions));
  return action;
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Ids and names are only ever looked up, so what is none is simply not found. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}

function notFound(path: string): PlatformError {
  return new PlatformError('NOT_FOUND', 'There is no such route.', { details: { path: path.slice(0, 200) } });
}

function notAllowed(method: string, allow: readonly string[]): PlatformError {
  return new PlatformError('METHOD_NOT_ALLOWED', `${method} is not allowed here.`, { details: { allow } });
}
