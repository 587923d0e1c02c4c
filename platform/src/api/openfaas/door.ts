/** The OpenFaaS-compatible door: from each route to what answers it, and the right it takes. */

import type { KeyRight } from '../../auth/keys.js';
import type { DoorParts, Exchange } from '../door.js';
import type { Door } from '../doors.js';
import type { Reply } from '../reply.js';
import * as calls from './calls.js';
import * as functions from './functions.js';
import { logs } from './logs.js';
import { empty, json, refusal, text } from './replies.js';
import { findOpenFaasRoute, type OpenFaasRoute } from './routes.js';
import * as secrets from './secrets.js';

/** What stands here needs no key, as in OpenFaaS; calls are open only where the platform was told so. */
const RIGHTS: Readonly<Record<OpenFaasRoute['action'], readonly KeyRight[] | 'anyone'>> = {
  healthz: 'anyone',
  info: [],
  namespaces: ['read', 'deploy'],
  'namespace-crud': ['deploy'],
  list: ['read', 'deploy'],
  read: ['read', 'deploy'],
  create: ['deploy'],
  update: ['deploy'],
  delete: ['deploy'],
  scale: ['deploy'],
  alert: ['deploy'],
  'list-secrets': ['read', 'deploy'],
  'create-secret': ['deploy'],
  'update-secret': ['deploy'],
  'delete-secret': ['deploy'],
  logs: ['read'],
  invoke: ['invoke'],
  'async-invoke': ['invoke'],
  'async-status': ['read', 'invoke'],
  'async-result': ['read', 'invoke'],
  'async-cancel': ['invoke'],
};

export function openFaasDoor(parts: DoorParts): Door {
  return {
    takesPasswords: true,
    open(method, url) {
      const route = findOpenFaasRoute(method, url);
      const isCall = route.action === 'invoke' || route.action === 'async-invoke';
      return {
        rights: isCall && parts.publicFunctions ? 'anyone' : RIGHTS[route.action],
        answer: (exchange) => answer(route, exchange, parts),
      };
    },
    refuse: refusal,
  };
}

function answer(route: OpenFaasRoute, exchange: Exchange, parts: DoorParts): Reply | Promise<Reply> {
  const { query } = route;
  switch (route.action) {
    case 'healthz':
      parts.engine.refuseWhenClosing();
      return empty(200);
    case 'info':
      return functions.info(parts);
    case 'namespaces':
      return json(parts.openfaas.namespaces);
    case 'namespace-crud':
      return text(501, 'Feature not implemented in this version of OpenFaaS');
    case 'list':
      return functions.list(query, parts);
    case 'read':
      return functions.read(route.name, query, parts);
    case 'create':
      return functions.create(exchange, parts);
    case 'update':
      return functions.update(exchange, parts);
    case 'delete':
      return functions.remove(query, exchange, parts);
    case 'scale':
      return functions.scale(route.name, query, exchange, parts);
    case 'alert':
      return functions.alert(exchange, parts);
    case 'list-secrets':
      return secrets.list(query, parts);
    case 'create-secret':
      return secrets.change('create', query, exchange, parts);
    case 'update-secret':
      return secrets.change('update', query, exchange, parts);
    case 'delete-secret':
      return secrets.change('delete', query, exchange, parts);
    case 'logs':
      return logs(query, parts);
    case 'invoke':
      return calls.invoke(route, exchange, parts);
    case 'async-invoke':
      return calls.accept(route, exchange, parts);
    case 'async-status':
      return calls.status(route.callId, parts);
    case 'async-result':
      return calls.result(route.callId, parts);
    case 'async-cancel':
      return calls.cancel(route.callId, parts);
  }
}
