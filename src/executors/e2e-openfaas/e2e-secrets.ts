/** Secrets by `/faas/api/v1`: each in its namespace, the account's own where none is named. */
import { FaasError } from '../../core/errors.js';
import { isObject, parseJson } from '../shared/json.js';
import type { Api } from './api.js';
import { PROVIDER } from './options.js';
import type { Secrets } from './profile.js';

export function platformSecrets(api: Api, namespace: string | undefined): Secrets {
  const path = (name: string) => `/secrets/${encodeURIComponent(name)}`;
  return {
    async put(name, value, scope) {
      const what = `the secret ${name}`;
      const body = { name, value: textValue(name, value), ...(namespace !== undefined && { namespace }) };
      const made = await api.send({ method: 'POST', path: '/secrets', body, what }, scope, [409]);
      if (made.status === 409) await api.send({ method: 'PUT', path: path(name), body, what }, scope);
    },
    async list(scope) {
      const request = {
        method: 'GET',
        path: '/secrets',
        query: { namespace },
        what: 'the list of secrets',
      } as const;
      const reply = await api.send(request, scope);
      const value = parseJson(reply.body);
      const list = isObject(value) ? value['secrets'] : value;
      return (Array.isArray(list) ? list : []).map((one: unknown) =>
        String(isObject(one) ? one['name'] : one),
      );
    },
    async delete(name, scope) {
      const request = {
        method: 'DELETE',
        path: path(name),
        query: { namespace },
        what: `the secret ${name}`,
      } as const;
      await api.send(request, scope, [404]);
    },
  };
}

function textValue(name: string, value: string | Uint8Array): string {
  if (typeof value === 'string') return value;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(value);
  } catch {
    const message = `The secret ${name} is no text, and E2E keeps nothing else. Encode it first.`;
    throw new FaasError({ code: 'UNSUPPORTED', executed: 'no', provider: PROVIDER, message });
  }
}
