/** What the sections about asynchronous calls share. */
import type { CaseContext, Invoke } from '../context.js';
import { check, checkStatus, describeReply } from '../expect.js';
import type { Reply } from '../http.js';

export const TERMINAL = ['completed', 'failed', 'timeout', 'cancelled', 'dead'];

export async function begin(
  context: CaseContext,
  functionId: string,
  args: string,
  { headers, ...options }: Invoke = {},
): Promise<Reply> {
  return await context.invoke(functionId, args, {
    ...options,
    headers: { prefer: 'respond-async', ...headers },
  });
}

/** @returns the id of the accepted invocation */
export function accepted(reply: Reply): string {
  checkStatus(reply, 202);
  const { invocation_id: id } = reply.json();
  check(typeof id === 'string' && id !== '', 'invocation_id: text', describeReply(reply));
  return id;
}

export async function read(
  context: CaseContext,
  invocationId: string,
  waitSecs = 0,
): Promise<Record<string, unknown>> {
  const query = waitSecs > 0 ? `?wait=${waitSecs}` : '';
  const reply = await context.send('GET', `/api/invocations/${invocationId}${query}`);
  checkStatus(reply, 200);
  return reply.json();
}

/** The record once it is terminal. */
export async function ended(context: CaseContext, invocationId: string): Promise<Record<string, unknown>> {
  let record: Record<string, unknown> = {};
  const isOver = await context.eventually(15_000, async () => {
    record = await read(context, invocationId);
    return TERMINAL.includes(String(record['status']));
  });
  check(isOver, 'a terminal status within 15 s', record);
  return record;
}
