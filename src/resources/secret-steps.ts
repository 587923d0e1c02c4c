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
    if (kind !== 'no-op') await put(run, desired, old);
    return;
  }
  if (old === undefined) return;
  const { name, namespace } = old.attributes;
  await storeOf(run, old.provider).delete(name, namespace, run.signal);
  await removeDeposed(run, address);
  await run.commit(address, undefined);
}

async function put(run: Run, desired: DesiredSecret, prior: SecretResource | undefined): Promise<void> {
  const { address, type, provider, ...wanted } = desired;
  const value = run.secretValues.get(address);
  if (value === undefined) {
    const message = `The value of ${address} was not read, so it cannot be sent.`;
    throw new FaasError({ code: 'CONFIG', executed: 'no', message });
  }
  const ours: readonly Kept[] = prior === undefined ? [] : [prior, ...(prior.deposed ?? [])];
  const known = ours.find((one) => isSameSecret(one, desired));
  if (known === undefined) await refuseNamesake(run, desired);
  const deposed = ours
    .filter((one) => one !== known)
    .map(({ provider, attributes }) => ({ provider, attributes }));
  const base = { type, address, provider, dependencies: [], ...(deposed.length > 0 && { deposed }) } as const;
  // Known before it is there: a run that is cut off now must not leave a secret that nobody deletes.
  if (known === undefined || known !== prior) {
    await run.commit(address, { ...base, status: 'creating', attributes: { ...wanted, value_hash: '' } });
  }
  const { id, createdAt } = await storeOf(run, provider).put(desired, value, run.signal);
  const attributes = { ...wanted, id, created_at: createdAt ?? known?.attributes.created_at };
  await run.commit(address, { ...base, attributes });
}

type Kept = Pick<SecretResource, 'provider' | 'attributes'>;

function isSameSecret({ provider, attributes }: Kept, desired: DesiredSecret): boolean {
  const { name, namespace = attributes.namespace } = desired;
  return provider === desired.provider && attributes.name === name && attributes.namespace === namespace;
}

/** A secret that someone else has made keeps its value. */
async function refuseNamesake(
  run: Run,
  { address, name, namespace, provider }: DesiredSecret,
): Promise<void> {
  if (!(await storeOf(run, provider).has(name, namespace, run.signal))) return;
  const message = `${provider} has a secret ${name} that is not managed here. To manage it: jobferry import FILE ${address} ${name}`;
  throw new FaasError({ code: 'CONFLICT', executed: 'no', provider, message });
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
