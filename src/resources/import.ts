/** Takes a function or a secret that is there under management. */
import { FaasError } from '../core/errors.js';
import type { Desired } from './core/model.js';
import { dependenciesOf } from './core/plan.js';
import { type Resource, type State, withResource } from './core/state.js';
import { attributesOf, withRemote } from './merge.js';
import type { RemoteFunction, ResourceProvider } from './provider.js';

/**
 * @param id the provider's own, `name.namespace`, or `name`
 * @param desired what the file declares under the address: gives what the provider does not say
 * @returns the state with it; nothing is changed at the provider
 * @throws {FaasError} CONFLICT when the address is taken, NOT_FOUND when nothing has the id
 */
export async function importResource(
  state: State,
  desired: Desired,
  id: string,
  provider: ResourceProvider,
  all: readonly Desired[],
  signal: AbortSignal,
): Promise<State> {
  const { address } = desired;
  if (state.resources.has(address)) {
    throw problem(
      'CONFLICT',
      `${address} is managed already. Import to another address, or end that first, which deletes nothing: jobferry forget FILE ${address}`,
    );
  }
  const [name = id, namespace] = splitName(id);
  if (desired.type === 'secret') {
    if (provider.secrets === undefined || !(await provider.secrets.has(name, namespace, signal))) {
      throw problem('NOT_FOUND', `${provider.name} has no secret ${id}.`);
    }
    refuseManaged(state, desired, (one) => isSecret(one, name, namespace));
    // Nobody can read its value: the next apply sends the one that is declared.
    const attributes = { name, namespace, value_hash: '', id };
    return withResource(state, address, {
      type: 'secret',
      address,
      provider: desired.provider,
      dependencies: [],
      attributes,
    });
  }
  const remote =
    (await byId(provider, id, signal)) ??
    (await provider.find({ name, namespace, job_id: desired.job_id }, signal));
  if (remote === undefined) throw problem('NOT_FOUND', `${provider.name} has no function ${id}.`);
  refuseManaged(state, desired, ({ attributes }) => attributes.id === remote.id);
  const attributes = withRemote({ ...attributesOf(desired), code_sha256: undefined }, remote);
  const dependencies = dependenciesOf(desired, all);
  return withResource(state, address, {
    type: 'function',
    address,
    provider: desired.provider,
    dependencies,
    attributes,
  });
}

/** Two addresses for one thing: what is said of one of them, a delete above all, would be done to both. */
function refuseManaged({ resources }: State, desired: Desired, isIt: (one: Resource) => boolean): void {
  const holder = [...resources.values()].find(
    (one) => one.type === desired.type && one.provider === desired.provider && isIt(one),
  );
  if (holder === undefined) return;
  const message = `It is managed already, as ${holder.address}. To have it under ${desired.address}, rename its key in the file; to end its management, which deletes nothing: jobferry forget FILE ${holder.address}`;
  throw problem('CONFLICT', message);
}

/** Without a namespace either may mean the account's own. */
function isSecret({ attributes }: Resource, name: string, namespace: string | undefined): boolean {
  const isSamePlace =
    namespace === undefined || attributes.namespace === undefined || attributes.namespace === namespace;
  return attributes.name === name && isSamePlace;
}

/** A provider may refuse an id that is none of its own. */
async function byId(
  provider: ResourceProvider,
  id: string,
  signal: AbortSignal,
): Promise<RemoteFunction | undefined> {
  try {
    return await provider.read(id, signal);
  } catch (failure) {
    if (FaasError.is(failure) && (failure.code === 'INVALID_REQUEST' || failure.code === 'CONFIG'))
      return undefined;
    throw failure;
  }
}

/** Neither a name nor a namespace has a dot. */
function splitName(id: string): [name: string, namespace: string | undefined] {
  const [name = id, namespace] = id.split('.', 2);
  return [name, namespace];
}

function problem(code: 'CONFLICT' | 'NOT_FOUND', message: string): FaasError {
  return new FaasError({ code, executed: 'no', message });
}
