/**
 * What a file means is found by what it is, not by its key: under another key, after two have swapped their names, or when
 * a new one takes over the name or the job id of another. Pure.
 */
import { isByJobId, isSameThing } from './identity.js';
import type { Address, Desired } from './model.js';
import type { Resource, SecretResource, State } from './state.js';

type Deposed = NonNullable<SecretResource['deposed']>[number];

/** Whoever names a job id means just that one; then each means what stands under its key, then whatever is the same. */
const PASSES: readonly ((resource: Resource, desired: Desired) => boolean)[] = [
  (resource, desired) =>
    desired.type === 'function' && desired.job_id !== undefined && isSameThing(resource, desired),
  (resource, desired) => resource.address === desired.address && isSameThing(resource, desired),
  isSameThing,
];

/** The state with each resource under the address of what it is; the same object when all are there already. */
export function withMoves(state: State, desired: readonly Desired[]): State {
  const left = new Map(state.resources);
  const placed = new Map<Address, Resource>();
  for (const isMeant of PASSES) {
    for (const one of desired) {
      if (placed.has(one.address)) continue;
      const resource = [...left.values()].find((candidate) => isMeant(candidate, one));
      if (resource === undefined) continue;
      left.delete(resource.address);
      placed.set(one.address, named(resource, one));
    }
  }
  const displaced: Resource[] = [];
  for (const resource of left.values()) {
    if (placed.has(resource.address)) displaced.push(resource);
    else placed.set(resource.address, resource);
  }
  handDownDeposed(placed, desired);
  for (const resource of displaced) displace(resource, placed, state);
  const isAsBefore = [...placed].every(([address, resource]) => state.resources.get(address) === resource);
  return isAsBefore ? state : { ...state, resources: placed };
}

/** What lost its address to another is deleted: a secret after its users have changed, a function in a place that is free. */
function displace(resource: Resource, placed: Map<Address, Resource>, state: State): void {
  const other = placed.get(resource.address);
  if (resource.type === 'secret' && other?.type === 'secret') {
    placed.set(other.address, withDeposed(other, [...(other.deposed ?? []), ...secretsOf(resource)]));
    return;
  }
  const free = [...state.resources.values()].find(
    ({ type, address }) => type === resource.type && !placed.has(address),
  );
  if (free !== undefined) placed.set(free.address, { ...resource, address: free.address });
}

/** A secret that waits to be deleted at one address, and is declared at another by now, stays. */
function handDownDeposed(placed: Map<Address, Resource>, desired: readonly Desired[]): void {
  for (const one of desired) {
    const prior = placed.get(one.address);
    if (one.type !== 'secret' || (prior !== undefined && isSameThing(prior, one))) continue;
    for (const keeper of [...placed.values()]) {
      if (keeper.type !== 'secret' || keeper.address === one.address) continue;
      const { address, type } = one;
      const asResource = (old: Deposed): SecretResource => ({ ...old, address, type, dependencies: [] });
      const found = keeper.deposed?.find((old) => isSameThing(asResource(old), one));
      if (found === undefined) continue;
      placed.set(
        keeper.address,
        withDeposed(
          keeper,
          (keeper.deposed ?? []).filter((old) => old !== found),
        ),
      );
      const before = prior?.type === 'secret' ? secretsOf(prior) : [];
      placed.set(address, withDeposed(asResource(found), before));
      break;
    }
  }
}

function secretsOf({ provider, attributes, deposed = [] }: SecretResource): Deposed[] {
  return [{ provider, attributes }, ...deposed];
}

function withDeposed(
  { deposed: _, ...resource }: SecretResource,
  deposed: readonly Deposed[],
): SecretResource {
  return { ...resource, ...(deposed.length > 0 && { deposed }) };
}

/** Under its new address; to who is known by a job id, a name is only a word. */
function named(resource: Resource, { address, ...desired }: Desired): Resource {
  const isRenamed =
    resource.type === 'function' &&
    isByJobId(resource.attributes) &&
    desired.name !== resource.attributes.name;
  if (isRenamed) {
    return { ...resource, address, attributes: { ...resource.attributes, name: desired.name } };
  }
  return resource.address === address ? resource : { ...resource, address };
}
