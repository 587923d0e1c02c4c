/** Which URL of the OpenFaaS door means what. */

import { PlatformError } from '../../domain/errors.js';
import { WEB_METHODS } from '../web-call.js';

export type PlainAction =
  | 'healthz'
  | 'info'
  | 'namespaces'
  | 'namespace-crud'
  | 'list'
  | 'create'
  | 'update'
  | 'delete'
  | 'list-secrets'
  | 'create-secret'
  | 'update-secret'
  | 'delete-secret'
  | 'logs'
  | 'alert';

export type OpenFaasRoute = { readonly query: URLSearchParams } & (
  | { readonly action: PlainAction }
  | { readonly action: 'read' | 'scale'; readonly name: string }
  | { readonly action: 'async-status' | 'async-result' | 'async-cancel'; readonly callId: string }
  | {
      readonly action: 'invoke' | 'async-invoke';
      /** `{name}` or `{name}.{namespace}`. */
      readonly target: string;
      readonly path: string;
      readonly rawQuery: string;
    }
);

type Methods = Readonly<Record<string, PlainAction>>;

const SYSTEM: Readonly<Record<string, Methods>> = {
  info: { GET: 'info' },
  namespaces: { GET: 'namespaces' },
  functions: { GET: 'list', POST: 'create', PUT: 'update', DELETE: 'delete' },
  secrets: { GET: 'list-secrets', POST: 'create-secret', PUT: 'update-secret', DELETE: 'delete-secret' },
  logs: { GET: 'logs' },
  alert: { POST: 'alert' },
};
const NAMESPACE: Methods = {
  GET: 'namespace-crud',
  POST: 'namespace-crud',
  PUT: 'namespace-crud',
  DELETE: 'namespace-crud',
};
/** What the gateway's router lets through; whether it can be a function is asked later. */
const NAME = /^[-a-zA-Z_0-9.]+$/;

/** @throws PlatformError NOT_FOUND, METHOD_NOT_ALLOWED */
export function findOpenFaasRoute(method: string, url: string): OpenFaasRoute {
  const mark = url.indexOf('?');
  const rawPath = mark === -1 ? url : url.slice(0, mark);
  const rawQuery = mark === -1 ? '' : url.slice(mark + 1);
  const query = new URLSearchParams(rawQuery);
  const [, first = '', second = '', third = '', ...more] = rawPath.split('/');
  if (rawPath === '/healthz')
    return { action: actionFor(method, { GET: 'healthz', HEAD: 'healthz' }), query };
  if (first === 'function' && NAME.test(second)) {
    if (!WEB_METHODS.includes(method)) throw notAllowed();
    return {
      action: 'invoke',
      target: second,
      path: rawPath.slice(10 + second.length) || '/',
      rawQuery,
      query,
    };
  }
  if (first === 'async-function' && NAME.test(second)) {
    if (method === 'POST') {
      const path = rawPath.slice(16 + second.length) || '/';
      return { action: 'async-invoke', target: second, path, rawQuery, query };
    }
    if (method === 'GET' && third === '') return { action: 'async-status', callId: second, query };
    if (method === 'GET' && third === 'result' && more.length === 0)
      return { action: 'async-result', callId: second, query };
    if (method === 'DELETE' && third === '') return { action: 'async-cancel', callId: second, query };
    throw notAllowed();
  }
  if (first !== 'system' || more.length > 0) throw notFound();
  if (second === 'namespace') return { action: actionFor(method, NAMESPACE), query };
  if (third !== '') {
    if (!NAME.test(third)) throw notFound();
    if (second === 'function') {
      if (method !== 'GET') throw notAllowed();
      return { action: 'read', name: third, query };
    }
    if (second !== 'scale-function') throw notFound();
    if (method !== 'POST') throw notAllowed();
    return { action: 'scale', name: third, query };
  }
  const methods = Object.hasOwn(SYSTEM, second) ? SYSTEM[second] : undefined;
  if (methods === undefined) throw notFound();
  return { action: actionFor(method, methods), query };
}

/** `{name}.{namespace}`, split at the last dot. */
export function splitTarget(
  target: string,
  fallback: string,
): { readonly name: string; readonly namespace: string } {
  const dot = target.lastIndexOf('.');
  if (dot <= 0) return { name: target, namespace: fallback };
  return { name: target.slice(0, dot), namespace: target.slice(dot + 1) };
}

function actionFor(method: string, methods: Methods): PlainAction {
  const action = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (action === undefined) throw notAllowed();
  return action;
}

function notFound(): PlatformError {
  return new PlatformError('NOT_FOUND', '404 page not found');
}

function notAllowed(): PlatformError {
  return new PlatformError('METHOD_NOT_ALLOWED', 'This method is not allowed here.');
}
