/** The form of errors, whatever went wrong. */

import { ECHO, printing, timed } from '../bootstraps.js';
import type { Section } from '../case.js';
import { JSON_TYPE, ZIP } from '../context.js';
import { check, checkErrorForm, checkStatus, describeReply } from '../expect.js';
import type { Reply } from '../http.js';

const CODES: Readonly<Record<number, readonly string[]>> = {
  400: ['INVALID_REQUEST', 'INVALID_NAME', 'INVALID_CONFIG', 'INVALID_PACKAGE'],
  401: ['UNAUTHORIZED'],
  403: ['FORBIDDEN'],
  404: ['NOT_FOUND'],
  405: ['METHOD_NOT_ALLOWED'],
  409: ['CONFLICT', 'IN_PROGRESS', 'NOT_FINISHED', 'NO_RESULT', 'CANCELLED'],
  412: ['PRECONDITION_FAILED'],
  413: ['PAYLOAD_TOO_LARGE'],
  415: ['UNSUPPORTED_MEDIA_TYPE'],
  422: ['IDEMPOTENCY_MISMATCH'],
  429: ['THROTTLED'],
  500: [
    'FUNCTION_ERROR',
    'OUT_OF_MEMORY',
    'BAD_OUTPUT',
    'OUTPUT_TOO_LARGE',
    'EXECUTION_ERROR',
    'INFRASTRUCTURE_ERROR',
  ],
  503: ['UNAVAILABLE'],
  504: ['TIMEOUT'],
};

/** For the test that compares it with the table of the standard. */
export function codesByStatus(): typeof CODES {
  return CODES;
}

function checkTable(reply: Reply): void {
  check(reply.status >= 400, 'an error', describeReply(reply));
  const { code } = checkErrorForm(reply);
  const known = CODES[reply.status] ?? [];
  check(
    known.includes(String(code)),
    `a code of status ${reply.status}: ${known.join(', ') || 'none'}`,
    describeReply(reply),
  );
}

export const errors: Section = {
  name: 'errors',
  cases: [
    {
      id: 'errors-01',
      cites: 'ERR-1',
      title: 'errors of routes, methods, media types and bodies all have the one form',
      async run(context) {
        const id = await context.shared(ECHO);
        const path = `/api/functions/${id}`;
        for (const reply of [
          await context.send('GET', '/no/such/route'),
          await context.send('PATCH', path),
          await context.send('POST', `${path}/invoke`, {
            headers: { 'content-type': 'text/css' },
            body: 'x',
          }),
          await context.send('POST', `${path}/invoke`, { headers: JSON_TYPE, body: '{' }),
          await context.put(context.name(), Buffer.from('junk')),
        ]) {
          check(reply.status >= 400, 'an error', describeReply(reply));
          checkErrorForm(reply);
        }
      },
    },
    {
      id: 'errors-02',
      cites: 'ERR-2',
      title: 'status and code go together as in the table',
      async run(context) {
        const id = await context.shared(ECHO);
        const path = `/api/functions/${id}`;
        const bad = await context.deploy(printing('nonsense'));
        checkTable(await context.send('GET', '/no/such/route'));
        checkTable(await context.send('PATCH', path));
        checkTable(await context.send('POST', `${path}/invoke`, { headers: ZIP, body: 'x' }));
        checkTable(await context.send('POST', `${path}/invoke`, { headers: JSON_TYPE, body: '{' }));
        checkTable(await context.put(context.name(), Buffer.from('junk')));
        checkTable(await context.put(id, Buffer.from('junk')));
        checkTable(await context.send('GET', '/api/functions/NOT-A-NAME'));
        checkTable(await context.invoke(bad, ''));
      },
    },
    {
      id: 'errors-03',
      cites: 'ERR-3',
      title: 'a failed invoke carries success: false and executed',
      async run(context) {
        const bad = await context.deploy(printing('nonsense'));
        for (const [reply, executed] of [
          [await context.invoke(context.name(), ''), 'no'],
          [
            await context.send('POST', `/api/functions/${bad}/invoke`, { headers: JSON_TYPE, body: '{' }),
            'no',
          ],
          [await context.invoke(bad, ''), 'yes'],
        ] as const) {
          const body = reply.json();
          check(body['success'] === false, 'success: false', describeReply(reply));
          check(body['executed'] === executed, `executed: "${executed}"`, describeReply(reply));
        }
      },
    },
    {
      id: 'errors-04',
      cites: 'ERR-4',
      title: 'a refusal for load carries Retry-After',
      async run(context) {
        const id = await context.deploy(timed(0.3), { max_concurrency: 1 });
        const replies = await Promise.all(
          Array.from({ length: 8 }, async () => await context.invoke(id, '')),
        );
        for (const reply of replies) {
          checkStatus(reply, 200, 429, 503);
          if (reply.status === 200) continue;
          const retryAfter = String(reply.headers['retry-after'] ?? 'no Retry-After');
          check(/^\d+$/.test(retryAfter), 'Retry-After in whole seconds', retryAfter);
        }
      },
    },
    {
      id: 'errors-05',
      cites: 'ERR-5',
      title: 'no error repeats arguments, output or variables',
      async run(context) {
        const secret = 'canary-5f3759df';
        const id = await context.deploy(printing(`not json ${secret}`), { env_vars: { KEY: secret } });
        const invoke = `/api/functions/${id}/invoke`;
        const config = Buffer.from(`{"env_vars":{"K":"${secret}","L":7}}`).toString('base64');
        for (const reply of [
          await context.invoke(id, secret),
          await context.send('POST', invoke, { headers: JSON_TYPE, body: `{"job_id":7,"args":"${secret}"}` }),
          await context.send('POST', invoke, {
            headers: JSON_TYPE,
            body: `{"job_id":7,"args":[1],${secret}`,
          }),
          await context.put(context.name(), Buffer.from('junk'), undefined, {
            headers: { 'x-blueprint-config': config },
          }),
        ]) {
          check(reply.status >= 400, 'an error', describeReply(reply));
          check(!reply.body.includes(secret), 'an error without the canary', describeReply(reply));
        }
      },
    },
  ],
};
