/** Feature `list`. */

import { answering } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import type { CaseContext } from '../context.js';
import { check, checkFailure, checkSame, checkStatus, describeReply } from '../expect.js';

const needs = ['list'] as const;

async function page(
  context: CaseContext,
  query: string,
): Promise<{ ids: string[]; next: string | undefined }> {
  const reply = await context.send('GET', `/api/functions${query}`);
  checkStatus(reply, 200);
  const { functions, next } = reply.json();
  check(Array.isArray(functions), 'functions: an array', describeReply(reply));
  const ids = functions.map((record: Record<string, unknown>) => String(record['function_id']));
  return { ids, next: next === undefined ? undefined : String(next) };
}

export const list: Section = {
  name: 'list',
  cases: [
    {
      id: 'list-01',
      cites: 'LST-1',
      title: 'a deployed function is listed with its record, in order of ids',
      needs,
      async run(context) {
        for (let n = 0; n < 2; n++) await context.deploy(answering(`beside ${n}`));
        const id = await context.deploy(answering('listed'));
        const record = (await context.send('GET', `/api/functions/${id}`)).json();
        const reply = await context.send('GET', '/api/functions?limit=1000');
        checkStatus(reply, 200);
        const functions = reply.json()['functions'] as Record<string, unknown>[];
        const ids = functions.map(({ function_id }) => String(function_id));
        checkSame(ids, ids.toSorted(), 'ids in order');
        checkSame(
          functions.find(({ function_id }) => function_id === id),
          record,
          'the record in the list',
        );
      },
    },
    {
      id: 'list-02',
      cites: 'LST-2',
      title: 'pages of one go through all functions of ours, each once',
      needs,
      async run(context) {
        const ours: string[] = [];
        for (let n = 0; n < 4; n++) ours.push(await context.deploy(answering(`page ${n}`)));
        const seen: string[] = [];
        let after: string | undefined;
        for (let pages = 0; pages < 2000; pages++) {
          const { ids, next } = await page(
            context,
            `?limit=1${after === undefined ? '' : `&after=${encodeURIComponent(after)}`}`,
          );
          check(ids.length <= 1, 'at most one function a page', ids);
          seen.push(...ids);
          if (next === undefined) break;
          after = next;
        }
        checkSame(
          seen.filter((id) => ours.includes(id)),
          ours.toSorted(),
          'our functions',
        );
        checkSame(seen.length, new Set(seen).size, 'no function twice: number of ids');
      },
    },
    {
      id: 'list-03',
      cites: 'LST-2',
      title: 'a removed function is no longer listed',
      needs,
      async run(context) {
        const id = await context.deploy(answering('removed'));
        checkStatus(await context.send('DELETE', `/api/functions/${id}`), 200);
        const { ids } = await page(context, '?limit=1000');
        check(!ids.includes(id), 'a list without it', ids.length);
      },
    },
    ...['0', '1001', '-1', 'many'].map(
      (limit, index): Case => ({
        id: `list-0${index + 4}`,
        cites: 'LST-3',
        title: `limit=${limit} is 400`,
        needs,
        async run(context) {
          checkFailure(await context.send('GET', `/api/functions?limit=${limit}`), 400, 'INVALID_REQUEST');
        },
      }),
    ),
  ],
};
