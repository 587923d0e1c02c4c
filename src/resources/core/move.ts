/** Another key in the file for what has the same name at the same provider: the same resource, under another address. Pure. */
import type { Address, Desired } from './model.js';
import type { Resource, State } from './state.js';

/** The state with such resources under their new addresses; the same object when there are none. */
export function withMoves(state: State, desired: readonly Desired[]): State {
  const declared = new Set<Address>(desired.map(({ address }) => address));
  const resources = new Map(state.resources);
  let moved = false;
  for (const one of desired) {
    if (resources.has(one.address)) continue;
    const before = [...resources.values()].find(
      (resource) => !declared.has(resource.address) && isSameThing(resource, one),
    );
    if (before === undefined) continue;
    resources.delete(before.address);
    resources.set(one.address, { ...before, address: one.address });
    moved = true;
  }
  return moved ? { ...state, resources } : state;
}

function isSameThing({ type, provider, attributes }: Resource, desired: Desired): boolean {
  const { name, namespace = attributes.namespace } = desired;
  return (
    type === desired.type &&
    provider === desired.provider &&
    attributes.name === name &&
    attributes.namespace === namespace
  );
}
