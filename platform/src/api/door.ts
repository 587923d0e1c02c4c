/** The door of the custom-FaaS specification 1.1: from each route to what answers it, and the right it takes. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Guard } from '../auth/key-guard.js';
import type { KeyRight } from '../auth/keys.js';
import type { Engine } from '../engine.js';
import type { Callbacks } from '../queue/callbacks.js';
import type { Idempotency } from '../queue/idempotency.js';
import type { InvocationQueue } from '../queue/invocation-queue.js';
import type { Interpreters } from '../runtimes/interpreters.js';
import type { WebFunctions } from '../web-functions.js';
import * as calls from './calls-door.js';
import { capabilities } from './capabilities.js';
import type { Door } from './doors.js';
import * as functions from './functions-door.js';
import * as invocations from './invocations-door.js';
import { logs } from './logs-door.js';
import type { OpenFaasSettings } from './openfaas/settings.js';
import { errorReply, type Reply } from './reply.js';
import { type Action, findRoute, type Route } from './routes.js';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** The checked Host header. */
  readonly host: string;
  /** What URLs in answers begin with, without a slash at the end. */
  readonly baseUrl: string;
}

export interface DoorParts {
  readonly engine: Engine;
  readonly web: WebFunctions;
  readonly interpreters: Interpreters;
  /** Of functions and secrets of the E2E door that name none. */
  readonly namespace: string;
  /** May anybody call web functions, where everything else takes a key? */
  readonly publicFunctions: boolean;
  readonly openfaas: OpenFaasSettings;
  /** Undefined for what each caller says in its Host header. */
  readonly publicUrl: string | undefined;
  readonly callbacks: Callbacks;
  readonly queue: InvocationQueue;
  readonly idempotency: Idempotency;
  readonly guard: Guard;
  readonly version: string;
  /** Names what runs, by the content of its code. */
  readonly build: string;
  /** Where uploads are put while they arrive. */
  readonly incomingFolder: string;
  /** Ends answers that would go on for ever. */
  readonly stopping: AbortSignal;
}

/** A key needs one of these; where there are none, any key will do. */
const RIGHTS: Readonly<Record<Action, readonly KeyRight[]>> = {
  capabilities: [],
  'list-functions': ['read', 'deploy'],
  describe: ['read', 'deploy', 'invoke'],
  health: ['read', 'deploy', 'invoke'],
  deploy: ['deploy'],
  undeploy: ['deploy'],
  warm: ['deploy', 'invoke'],
  invoke: ['invoke'],
  logs: ['read'],
  'list-invocations': ['read'],
  'describe-invocation': ['read', 'invoke'],
  result: ['read', 'invoke'],
  cancel: ['invoke'],
};

export function specDoor(parts: DoorParts): Door {
  return {
    takesPasswords: false,
    open(method, url) {
      const route = findRoute(method, url);
      return { rights: RIGHTS[route.action], answer: (exchange) => answer(route, exchange, parts) };
    },
    refuse: errorReply,
  };
}

/** @throws PlatformError */
async function answer(route: Route, exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const { query } = route;
  switch (route.action) {
    case 'capabilities':
      return { status: 200, body: capabilities(parts.engine, parts.version) };
    case 'list-functions':
      return functions.list(query, exchange, parts.engine);
    case 'deploy':
      return functions.deploy(route.functionId, query, exchange, parts);
    case 'describe':
      return functions.describe(route.functionId, exchange, parts.engine);
    case 'undeploy':
      return functions.undeploy(route.functionId, exchange, parts.engine);
    case 'health':
      return functions.health(route.functionId, parts.engine);
    case 'warm':
      return functions.warm(route.functionId, parts.engine);
    case 'invoke':
      return calls.invoke(route.functionId, route.jobId, exchange, parts);
    case 'logs':
      return logs(route.functionId, query, parts);
    case 'list-invocations':
      return invocations.list(query, parts.queue);
    case 'describe-invocation':
      return invocations.describe(route.invocationId, query, exchange, parts.queue);
    case 'result':
      return invocations.result(route.invocationId, exchange, parts.queue);
    case 'cancel':
      return invocations.cancel(route.invocationId, parts.queue);
  }
}
