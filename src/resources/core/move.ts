/**
 * What a file means is found by what it is, not by its key: under another key, after two have swapped their names, or when
 * a new one takes over the name or the job id of another. Pure.
 */
import { isByJobId, isSameThing } from './identity.js';
import type { Address, Desired } from './model.js';
import type { Resource, State } from './state.js';

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
  // What lost its address to another gets one that another has left.
  const displaced: Resource[] = [];
  for (const resource of left.values()) {
    if (placed.has(resource.address)) displaced.push(resource);
    else placed.set(resource.address, resource);
  }
  for (const resource of displaced) {
    const free = [...state.resources.values()].find(
      ({ type, address }) => type === resource.type && !placed.has(address),
    );
    if (free !== undefined) placed.set(free.address, { ...resource, address: free.address });
  }
  const isAsBefore = [...placed].every(([address, resource]) => state.resources.get(address) === resource);
  return isAsBefore ? state : { ...state, resources: placed };
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
