/** Keys. These cases run when the run has one. */

import { ECHO } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import { check, checkFailure, checkStatus, describeReply } from '../expect.js';
import { sendRaw } from '../raw.js';

const WRONG: readonly (readonly [what: string, headers: Readonly<Record<string, string>>])[] = [
  ['no key', {}],
  ['a wrong key', { authorization: 'Bearer wrong-key-0123456789' }],
  ['an empty key', { authorization: 'Bearer ' }],
  ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }],
];

export const auth: Section = {
  name: 'auth',
  cases: [
    {
      id: 'auth-01',
      cites: 'SEC-1',
      title: 'the right key is let in',
      needs: ['key'],
      async run(context) {
        const id = await context.shared(ECHO);
        checkStatus(await context.invoke(id, ''), 200);
      },
    },
    ...WRONG.map(
      ([what, headers], index): Case => ({
        id: `auth-0${index + 2}`,
        cites: 'SEC-1',
        title: `${what} is 401 with WWW-Authenticate: Bearer, on every route`,
        needs: ['key'],
        async run(context) {
          const id = await context.shared(ECHO);
          for (const [method, path] of [
            ['GET', ''],
            ['POST', '/invoke'],
            ['GET', '/health'],
            ['POST', '/warm'],
            ['DELETE', ''],
          ] as const) {
            const reply = await context.sendAs(headers, method, `/api/functions/${id}${path}`);
            checkFailure(reply, 401, 'UNAUTHORIZED');
            const wanted = String(reply.headers['www-authenticate'] ?? 'no WWW-Authenticate');
            check(/^bearer\b/i.test(wanted), 'WWW-Authenticate: Bearer', wanted);
          }
        },
      }),
    ),
    {
      id: 'auth-06',
      cites: 'SEC-2',
      title: '401 comes before the body is sent',
      needs: ['key'],
      async run(context) {
        const reply = await sendRaw(
          context.base,
          `PUT /api/functions/${context.name()} HTTP/1.1\r\nHost: ${context.base.host}\r\nContent-Type: application/zip\r\nContent-Length: 10000000\r\n\r\n`,
        );
        check(reply.statuses[0] === 401, '401', reply.text || 'silence');
      },
    },
    {
      id: 'auth-07',
      cites: 'SEC-1',
      title: 'what exists is not told to those without a key',
      needs: ['key'],
      async run(context) {
        const reply = await context.sendAs({}, 'GET', `/api/functions/${context.name('absent')}`);
        check(reply.status === 401, '401, as for a function that exists', describeReply(reply));
      },
    },
  ],
};
