/** Runs inside Cloud Functions: the `(req, res)` of the functions framework -> a call. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { httpEntry } from '../shared/entry/http-entry.js';
import type { CallRunner } from '../shared/entry/runner.js';

export { resolveClaims } from '../shared/entry/claims.js';
export { executableRunner } from '../shared/entry/executable.js';
export { type CallRunner, jobsRunner } from '../shared/entry/runner.js';

/** What the functions framework hands over: the body's bytes stand in `rawBody`, whatever it made of them. */
export interface FrameworkRequest extends IncomingMessage {
  readonly rawBody?: Uint8Array;
}

/** @param load makes the runner, once; what it throws answers every call, as a function that could not be started */
export function cloudFunction(
  load: () => Promise<CallRunner>,
): (request: FrameworkRequest, response: ServerResponse) => Promise<void> {
  const entry = httpEntry(load);
  return async ({ headers, rawBody = new Uint8Array(0) }, response) => {
    const reply = await entry({ headers, body: rawBody });
    response.writeHead(reply.status, reply.headers).end(reply.body);
  };
}
