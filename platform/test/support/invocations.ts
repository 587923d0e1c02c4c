/** Asynchronous calls as tests make them. */

import { type Client, eventually, type JsonReply } from './platform.js';

export function invokeAsync(
  client: Client,
  id: string,
  args: readonly number[] = [],
  headers: Record<string, string> = {},
): Promise<JsonReply> {
  return client.invoke(id, args, { Prefer: 'respond-async', ...headers });
}

/** Long-polls until the invocation has ended. */
export async function ended(client: Client, invocationId: string): Promise<JsonReply['body']> {
  let body: JsonReply['body'];
  await eventually(
    async () => {
      ({ body } = await client.request('GET', `/api/invocations/${invocationId}?wait=20`));
      return body.finished_at !== undefined;
    },
    `${invocationId} ends`,
    60_000,
  );
  return body;
}
