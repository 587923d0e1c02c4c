/** Looks at what is really there: refresh keeps it, drift shows it. */
import { type Change, functionChanges } from './core/diff.js';
import type { Address } from './core/model.js';
import { type Resource, type State, withResource } from './core/state.js';
import { withRemote } from './merge.js';
import type { ResourceProvider } from './provider.js';

export interface Drift {
  readonly address: Address;
  /** `failed`: it is there and does not run any more. */
  readonly kind: 'gone' | 'changed' | 'failed';
  /** From what the state knew to what is there. */
  readonly changes: readonly Change[];
  readonly message: string;
}

export interface Refreshed {
  /** With what is there; what is gone is left out, so that a plan makes it anew. */
  readonly state: State;
  readonly drifts: readonly Drift[];
}

export async function refresh(
  state: State,
  provider: (name: string) => ResourceProvider,
  signal: AbortSignal,
): Promise<Refreshed> {
  let fresh = state;
  const drifts: Drift[] = [];
  for (const resource of state.resources.values()) {
    const seen = await look(resource, provider(resource.provider), signal);
    if (seen === resource) continue;
    fresh = withResource(fresh, resource.address, seen);
    const drift = driftOf(resource, seen);
    if (drift !== undefined) drifts.push(drift);
  }
  return { state: fresh, drifts };
}

/** The resource itself where there is nothing to say about it. */
async function look(
  resource: Resource,
  provider: ResourceProvider,
  signal: AbortSignal,
): Promise<Resource | undefined> {
  if (resource.type === 'secret') {
    const { name, namespace } = resource.attributes;
    if (provider.secrets === undefined) return resource;
    return (await provider.secrets.has(name, namespace, signal)) ? resource : undefined;
  }
  const { id } = resource.attributes;
  if (id === undefined) return resource;
  const remote = await provider.read(id, signal);
  return remote === undefined
    ? undefined
    : { ...resource, attributes: withRemote(resource.attributes, remote) };
}

function driftOf(before: Resource, after: Resource | undefined): Drift | undefined {
  const { address } = before;
  if (after === undefined)
    return { address, kind: 'gone', changes: [], message: `${address} is not there any more` };
  if (before.type !== 'function' || after.type !== 'function') return undefined;
  const { attributes } = after;
  const changes = functionChanges(before.attributes, {
    ...attributes,
    type: 'function',
    address,
    provider: after.provider,
  });
  if (attributes.status === 'failed' && before.attributes.status !== 'failed') {
    return { address, kind: 'failed', changes, message: `${address} was running and is failed` };
  }
  if (changes.length === 0) return undefined;
  const paths = changes.map(({ path }) => path).join(', ');
  return { address, kind: 'changed', changes, message: `${address} was changed outside: ${paths}` };
}
