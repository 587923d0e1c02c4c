/** What the doors share: methods, pages, unknown routes. */
import { Refusal } from './refusal.js';
import type { Reply, Request } from './rules.js';

type Handlers = Readonly<Record<string, () => Reply | Promise<Reply>>>;

export async function allow(request: Request, handlers: Handlers): Promise<Reply> {
  const handler = handlers[request.method] ?? (request.method === 'HEAD' ? handlers['GET'] : undefined);
  if (handler !== undefined) return await handler();
  const headers = { allow: Object.keys(handlers).join(', ') };
  throw new Refusal(405, 'METHOD_NOT_ALLOWED', `${request.method} is not allowed here`, { headers });
}

export function parseLimit(search: URLSearchParams): number {
  const text = search.get('limit') ?? '100';
  if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > 1000)
    throw new Refusal(400, 'INVALID_REQUEST', 'limit must be 1 to 1000');
  return Number(text);
}

export function notFound(): Refusal {
  return new Refusal(404, 'NOT_FOUND', 'there is no such route');
}
