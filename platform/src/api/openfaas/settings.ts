/** What the owner of a platform may decide about the OpenFaaS-compatible door. */

import { isLabel } from '../../domain/function-id.js';

export interface OpenFaasOptions {
  /** Default `['openfaas-fn']`, the name that faas-cli takes for granted; the first is the default one. */
  readonly namespaces?: readonly string[];
  /** Answer asynchronous calls of functions that are not there with 202, as OpenFaaS does; default false: 404. */
  readonly acceptUnknownAsync?: boolean;
}

export interface OpenFaasSettings {
  /** The first of `namespaces`. */
  readonly namespace: string;
  readonly namespaces: readonly string[];
  readonly acceptUnknownAsync: boolean;
}

/** @throws Error for a namespace that cannot be one */
export function openFaasSettings(options: OpenFaasOptions = {}): OpenFaasSettings {
  const { namespaces = ['openfaas-fn'], acceptUnknownAsync = false } = options;
  const [namespace, ...others] = namespaces.map(requireNamespace);
  if (namespace === undefined) throw new Error('openfaas.namespaces must name at least one.');
  return { namespace, namespaces: [namespace, ...others], acceptUnknownAsync };
}

/** @throws Error */
export function requireNamespace(name: string): string {
  if (isLabel(name)) return name;
  throw new Error(`The namespace ${JSON.stringify(name)} is not 1 to 63 characters of a-z, 0-9 and "-".`);
}
