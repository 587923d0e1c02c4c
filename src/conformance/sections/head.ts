/** Feature `head`. */

import { ECHO } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import { check, checkSame, describeReply } from '../expect.js';

const needs = ['head'] as const;

const PATHS: readonly (readonly [what: string, path: (id: string) => string])[] = [
  ['/api', () => '/api'],
  ['a record', (id) => `/api/functions/${id}`],
  ['health', (id) => `/api/functions/${id}/health`],
  ['an unknown route', () => '/no/such/route'],
];

export const head: Section = {
  name: 'head',
  cases: [
    ...PATHS.map(
      ([what, path], index): Case => ({
        id: `head-0${index + 1}`,
        cites: 'HED-1',
        title: `HEAD of ${what} has the status of GET and no body`,
        needs,
        async run(context) {
          for (const id of [await context.shared(ECHO), context.name()]) {
            const get = await context.send('GET', path(id));
            const reply = await context.send('HEAD', path(id));
            checkSame(reply.status, get.status, 'status of HEAD');
            check(reply.body.length === 0, 'no body', describeReply(reply));
          }
        },
      }),
    ),
    {
      id: 'head-05',
      cites: 'HED-2',
      title: 'HEAD of an invoke path answers as health: 200, and 404 for an unknown function',
      needs,
      async run(context) {
        const id = await context.deploy(ECHO);
        const known = await context.send('HEAD', `/api/functions/${id}/invoke`);
        const unknown = await context.send('HEAD', `/api/functions/${context.name()}/invoke`);
        checkSame([known.status, unknown.status], [200, 404], 'statuses');
        check(known.body.length === 0, 'no body', describeReply(known));
        checkSame(await context.invocations(id), 0, 'total_invocations');
      },
    },
  ],
};
