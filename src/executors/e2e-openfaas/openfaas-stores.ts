/** Secrets and namespaces of a gateway. Every status that a provider was seen to use is taken. */
import type { CallScope } from '../../core/scope.js';
import { isObject, parseJson } from '../shared/json.js';
import type { Api } from './api.js';
import type { Namespaces, Secrets } from './profile.js';

export function gatewaySecrets(api: Api, namespace: string): Secrets {
  const path = '/system/secrets';
  const what = (name: string) => `the secret ${name}`;
  return {
    async put(name, value, scope) {
      const content =
        typeof value === 'string' ? { value } : { rawValue: Buffer.from(value).toString('base64') };
      const body = { name, namespace, ...content };
      const made = await api.send({ method: 'POST', path, body, what: what(name) }, scope, [409]);
      if (made.status === 409) await api.send({ method: 'PUT', path, body, what: what(name) }, scope);
    },
    async list(scope) {
      const query = { namespace };
      const reply = await api.send({ method: 'GET', path, query, what: 'the list of secrets' }, scope);
      const list = parseJson(reply.body) ?? [];
      // Whatever else a provider shows of a secret is not passed on: one shows the values.
      return (Array.isArray(list) ? list.filter(isObject) : []).map((one) => String(one['name']));
    },
    async delete(name, scope) {
      const body = { name, namespace };
      await api.send({ method: 'DELETE', path, query: { namespace }, body, what: what(name) }, scope, [404]);
    },
  };
}

export function gatewayNamespaces(api: Api): Namespaces {
  const what = (name: string) => `the namespace ${name}`;
  const path = (name: string) => `/system/namespace/${encodeURIComponent(name)}`;
  return {
    async list(scope: CallScope) {
      const request = { method: 'GET', path: '/system/namespaces', what: 'the list of namespaces' } as const;
      const list = parseJson((await api.send(request, scope)).body) ?? [];
      return Array.isArray(list) ? list.map(String) : [];
    },
    async create(name, scope) {
      const body = { name, annotations: { openfaas: '1' } };
      await api.send({ method: 'POST', path: '/system/namespace/', body, what: what(name) }, scope, [409]);
    },
    async delete(name, scope) {
      await api.send({ method: 'DELETE', path: path(name), body: { name }, what: what(name) }, scope, [404]);
    },
  };
}
