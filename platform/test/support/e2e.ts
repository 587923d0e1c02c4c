/** A client of the E2E door as its users write it: create, wait until it runs, ask, change. */

import { type Client, eventually, type JsonReply } from './platform.js';

export const PYTHON = 'python3.11';
export const NODE = 'node20';

export interface E2eClient {
  api(method: string, path: string, body?: unknown): Promise<JsonReply>;
  /** Creates and waits until it stands as `status`. */
  create(fields: object, status?: string): Promise<JsonReply['body']>;
  until(id: string, status: string): Promise<JsonReply['body']>;
  ask(
    name: string,
    options?: { method?: string; path?: string; body?: string | Buffer; headers?: Record<string, string> },
  ): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }>;
}

export function e2eClient(client: Client, namespace = 'e2e-faas-local'): E2eClient {
  const api: E2eClient['api'] = (method, path, body) =>
    client.request(method, `/faas/api/v1${path}`, {
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' },
      }),
    });
  const until: E2eClient['until'] = async (id, status) => {
    let last: JsonReply['body'];
    await eventually(
      async () => {
        last = (await api('GET', `/functions/${id}`)).body;
        if (last.status === 'Failed' && status !== 'Failed')
          throw new Error(`it failed: ${last.error_message}`);
        return last.status === status;
      },
      `${id} is ${status}`,
      60_000,
    );
    return last;
  };
  return {
    api,
    until,
    async create(fields, status = 'Running') {
      const { status: code, body } = await api('POST', '/functions', { runtime: NODE, ...fields });
      if (code !== 201) throw new Error(`create was answered ${code}: ${JSON.stringify(body)}`);
      return until(body.id, status);
    },
    async ask(name, { method = 'POST', path = '', body, headers } = {}) {
      const {
        status,
        headers: replied,
        bytes,
      } = await client.requestBytes(method, `/faas/function/v1/${name}.${namespace}/${path}`, {
        ...(body !== undefined && { body }),
        ...(headers !== undefined && { headers }),
      });
      return { status, headers: replied, text: bytes.toString('utf8') };
    },
  };
}
