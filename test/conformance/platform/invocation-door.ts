/** `/api/invocations`: records, results, cancelling. */
import {
  type Accepted,
  type Invocation,
  type Invocations,
  isTerminal,
  untilTerminal,
} from './invocations.js';
import { Refusal } from './refusal.js';
import { allow, notFound, parseLimit } from './routing.js';
import type { Reply, Request, Rules } from './rules.js';

/** @throws Refusal */
export async function invocationDoor(
  invocations: Invocations,
  rules: Rules,
  request: Request,
  search: URLSearchParams,
  id: string | undefined,
  part: string | undefined,
): Promise<Reply> {
  if (id === undefined) return await allow(request, { GET: () => list(invocations, search) });
  const found = (): Accepted => {
    const accepted = invocations.all.get(id);
    if (accepted === undefined) throw new Refusal(404, 'NOT_FOUND', `there is no invocation ${id}`);
    return accepted;
  };
  if (part === 'cancel' && rules.features.includes('cancel')) {
    return await allow(request, {
      POST: () => {
        invocations.cancel(found());
        return { status: 200, body: found().record };
      },
    });
  }
  if (part === 'result') return await allow(request, { GET: () => resultOf(found().record) });
  if (part !== undefined) throw notFound();
  return await allow(request, {
    GET: async () => {
      await untilTerminal(found(), Number(search.get('wait') ?? 0));
      return { status: 200, body: found().record };
    },
  });
}

function list(invocations: Invocations, search: URLSearchParams): Reply {
  const limit = parseLimit(search);
  const after = search.get('after') ?? '';
  const records = [...invocations.all.values()]
    .map(({ record }) => record)
    .filter(({ function_id }) => [null, function_id].includes(search.get('function_id')))
    .filter(({ status }) => [null, status].includes(search.get('status')))
    .filter(({ invocation_id }) => invocation_id > after)
    .toSorted((a, b) => (a.invocation_id < b.invocation_id ? -1 : 1));
  const page = records.slice(0, limit);
  const shown = page.map(({ result: _, ...record }) => record);
  const next = records.length > limit ? { next: page.at(-1)?.invocation_id } : {};
  return { status: 200, body: { invocations: shown, ...next } };
}

function resultOf(record: Invocation): Reply {
  if (!isTerminal(record)) throw new Refusal(409, 'NOT_FINISHED', 'it still runs', { executed: 'maybe' });
  if (record.result === undefined)
    throw new Refusal(409, 'NO_RESULT', 'it did not complete', { executed: 'maybe' });
  return {
    status: 200,
    body: Buffer.from(record.result),
    headers: { 'content-type': 'application/octet-stream' },
  };
}
