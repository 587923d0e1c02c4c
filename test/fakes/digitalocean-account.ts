/** The account's API of the fake: namespaces, and their triggers. */
import { randomUUID } from 'node:crypto';

export type Json = Record<string, unknown>;

export class FakeAccount {
  readonly namespaces = new Map<string, Json>();
  readonly triggers = new Map<string, Json>();

  /** @param steps of the path, after `/v2/functions/namespaces`; @param apiHost of a namespace that is made */
  answer(
    method: string,
    [id, kind, name]: readonly string[],
    body: Json | undefined,
    apiHost: string,
  ): [status: number, reply: unknown] {
    if (id === undefined) {
      if (method === 'GET')
        return [200, { namespaces: [...this.namespaces.values()].map(({ key: _, ...one }) => one) }];
      const now = new Date().toISOString();
      const uuid = randomUUID();
      const made = {
        api_host: apiHost,
        namespace: `fn-${uuid}`,
        uuid,
        key: randomUUID().replaceAll('-', ''),
        label: body?.['label'],
        region: body?.['region'],
        created_at: now,
        updated_at: now,
      };
      this.namespaces.set(made.namespace, made);
      return [200, { namespace: made }];
    }
    const found = this.namespaces.get(id);
    if (found === undefined) return [404, { id: 'not_found', message: 'namespace not found.' }];
    if (kind === undefined) return [200, { namespace: found }];
    if (method === 'POST') {
      const trigger = {
        ...body,
        namespace: id,
        created_at: new Date().toISOString(),
        updated_at: new Date().toISOString(),
      };
      this.triggers.set(String(body?.['name']), trigger);
      return [200, { trigger }];
    }
    const trigger = this.triggers.get(name ?? '');
    if (trigger === undefined) return [404, { id: 'not_found', message: 'trigger not found.' }];
    if (method === 'GET') return [200, { trigger }];
    this.triggers.delete(name ?? '');
    return [204, undefined];
  }
}
