/** The door of E2E's design documents: from each route to what answers it, and failures as their clients read them. */

import type { KeyRight } from '../../auth/keys.js';
import type { PlatformError } from '../../domain/errors.js';
import { offersOf } from '../../runtimes/managed-runtimes.js';
import type { DoorParts, Exchange } from '../door.js';
import type { Door } from '../doors.js';
import { errorReply, type Reply } from '../reply.js';
import { askFunction, readWebCall } from '../web-call.js';
import * as functions from './functions.js';
import { type E2eRoute, findE2eRoute } from './routes.js';
import * as secrets from './secrets.js';

const RIGHTS: Readonly<Record<E2eRoute['action'], readonly KeyRight[]>> = {
  create: ['deploy'],
  list: ['read', 'deploy'],
  read: ['read', 'deploy'],
  update: ['deploy'],
  delete: ['deploy'],
  deploy: ['deploy'],
  scale: ['deploy'],
  logs: ['read'],
  metrics: ['read'],
  'create-secret': ['deploy'],
  'list-secrets': ['read', 'deploy'],
  'read-secret': ['read', 'deploy'],
  'update-secret': ['deploy'],
  'delete-secret': ['deploy'],
  runtimes: [],
  invoke: ['invoke'],
};

export function e2eDoor(parts: DoorParts): Door {
  return {
    takesPasswords: false,
    open(method, url) {
      const route = findE2eRoute(method, url);
      return {
        rights: route.action === 'invoke' && parts.publicFunctions ? 'anyone' : RIGHTS[route.action],
        answer: (exchange) => answer(route, exchange, parts),
      };
    },
    refuse,
  };
}

/** What is wrong with a well-formed body is 422 here. */
function refuse(error: PlatformError): Reply {
  const isUnprocessable = ['INVALID_CONFIG', 'INVALID_NAME', 'INVALID_PACKAGE'].includes(error.code);
  return { ...errorReply(error), ...(isUnprocessable && { status: 422 }) };
}

function answer(route: E2eRoute, exchange: Exchange, parts: DoorParts): Promise<Reply> | Reply {
  switch (route.action) {
    case 'create':
      return functions.create(exchange, parts);
    case 'list':
      return functions.list(exchange, parts);
    case 'read':
      return functions.read(route.id, exchange, parts);
    case 'update':
      return functions.update(route.id, route.group, exchange, parts);
    case 'delete':
      return functions.remove(route.id, parts);
    case 'deploy':
      return functions.deployAgain(route.id, exchange, parts);
    case 'scale':
      return functions.scale(route.id, exchange, parts);
    case 'logs':
      return functions.logs(route.id, route.query, parts);
    case 'metrics':
      return functions.metrics(route.id, parts);
    case 'create-secret':
      return secrets.create(exchange, parts);
    case 'list-secrets':
      return secrets.list(route.query, parts);
    case 'read-secret':
      return secrets.read(route.name, route.query, parts);
    case 'update-secret':
      return secrets.update(route.name, exchange, parts);
    case 'delete-secret':
      return secrets.remove(route.name, route.query, parts);
    case 'runtimes':
      return runtimes(route.query, parts);
    case 'invoke':
      return invoke(route.target, route.path, route.rawQuery, exchange, parts);
  }
}

async function runtimes(query: URLSearchParams, { interpreters }: DoorParts): Promise<Reply> {
  const hardware = query.get('hardware') ?? query.get('filter_hardware');
  const offers = (await offersOf(interpreters)).filter(
    (one) => hardware === null || one.hardware.includes(hardware),
  );
  return { status: 200, body: { runtimes: offers.map(({ language: _, ...offer }) => offer) } };
}

async function invoke(
  target: string,
  path: string,
  rawQuery: string,
  exchange: Exchange,
  parts: DoorParts,
): Promise<Reply> {
  parts.engine.refuseWhenClosing();
  const fn = functions.find(target, parts);
  return askFunction(fn, await readWebCall(path, rawQuery, exchange, parts), exchange, parts);
}
