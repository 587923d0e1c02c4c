/** Small changes to replies, for platforms that get them wrong. */
import type { Reply } from './platform/rules.js';

export function without(reply: Reply, header: string): Reply {
  const headers = Object.entries(reply.headers ?? {}).filter(([name]) => name !== header);
  return { ...reply, headers: Object.fromEntries(headers) };
}

export function withBody(reply: Reply, change: Record<string, unknown>): Reply {
  return Buffer.isBuffer(reply.body) ? reply : { ...reply, body: { ...reply.body, ...change } };
}

export function refusal(code: string): Record<string, unknown> {
  return { error: 'refused', code, details: {}, executed: 'no' };
}
