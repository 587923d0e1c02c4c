/** One action on a secret. Its value goes to the provider and nowhere else. */
import { FaasError } from '../core/errors.js';
import type { DesiredSecret } from './core/model.js';
import type { Action } from './core/plan.js';
import type { SecretResource } from './core/state.js';
import type { SecretStore } from './provider.js';
import type { Run } from './run.js';

export async function applySecret(action: Action, run: Run): Promise<void> {
  const { kind, prior, desired, key, address } = action;
  const old = prior?.type === 'secret' ? prior : undefined;
  if (key !== address) return removeDeposed(run, address);
  if (desired?.type === 'secret') {
    if (kind !== 'no-op') await put(run, desired, old, kind === 'replace');
    return;
  }
  if (old === undefined) return;
  const { name, namespace } = old.attributes;
  await storeOf(run, old.provider).delete(name, namespace, run.signal);
  await removeDeposed(run, address);
  await run.commit(address, undefined);
}

async function put(
  run: Run,
  desired: DesiredSecret,
  prior: SecretResource | undefined,
  replaces: boolean,
): Promise<void> {
  const { address, type, provider, ...wanted } = desired;
  const value = run.secretValues.get(address);
  if (value === undefined) {
    const message = `The value of ${address} was not read, so it cannot be sent.`;
    throw new FaasError({ code: 'CONFIG', executed: 'no', message });
  }
  const deposed = [
    ...(prior?.deposed ?? []),
    ...(replaces && prior !== undefined ? [{ provider: prior.provider, attributes: prior.attributes }] : []),
  ];
  const base = { type, address, provider, dependencies: [], ...(deposed.length > 0 && { deposed }) } as const;
  // Known before it is there: a run that is cut off now must not leave a secret that nobody deletes.
  if (prior === undefined || replaces)
    await run.commit(address, { ...base, status: 'creating', attributes: wanted });
  const { id, createdAt } = await storeOf(run, provider).put(desired, value, run.signal);
  const attributes = { ...wanted, id, created_at: createdAt ?? prior?.attributes.created_at };
  await run.commit(address, { ...base, attributes });
}

async function removeDeposed(run: Run, address: SecretResource['address']): Promise<void> {
  const resource = run.state.resources.get(address);
  if (resource?.type !== 'secret' || resource.deposed === undefined) return;
  for (const { provider, attributes } of resource.deposed) {
    await storeOf(run, provider).delete(attributes.name, attributes.namespace, run.signal);
  }
  const { deposed: _, ...rest } = resource;
  await run.commit(address, rest);
}

function storeOf(run: Run, provider: string): SecretStore {
  const { secrets, name } = run.provider(provider);
  if (secrets !== undefined) return secrets;
  const message = `${name} keeps no secrets that could be managed here. Make them with its own tools, and name them in \`secrets\` of its functions.`;
  throw new FaasError({ code: 'UNSUPPORTED', executed: 'no', provider: name, message });
}
