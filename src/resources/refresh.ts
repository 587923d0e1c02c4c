/** Looks at what is really there: refresh keeps it, drift shows it. */
import { type Change, functionChanges } from './core/diff.js';
import type { Address } from './core/model.js';
import { type Resource, type State, withResource } from './core/state.js';
import { withRemote } from './merge.js';
import type { ResourceProvider } from './provider.js';
import { Slots } from './slots.js';

export interface Drift {
  readonly address: Address;
  /** `failed`: it is there and does not run. */
  readonly kind: 'gone' | 'changed' | 'failed';
  /** From what the state knew to what is there; empty where only the version tells of a change. */
  readonly changes: readonly Change[];
  readonly message: string;
}

export interface Refreshed {
  /** With what is there; what is gone is left out, so that a plan makes it anew. */
  readonly state: State;
  readonly drifts: readonly Drift[];
}

/** Providers limit how often they are asked. */
const AT_ONCE = 8;

export async function refresh(
  state: State,
  provider: (name: string) => ResourceProvider,
  signal: AbortSignal,
): Promise<Refreshed> {
  const slots = new Slots(AT_ONCE);
  const looks = [...state.resources.values()].map(async (resource) => {
    const seen = await slots.run(() => look(resource, provider(resource.provider), signal));
    return { resource, seen };
  });
  let fresh = state;
  const drifts: Drift[] = [];
  for (const { resource, seen } of await Promise.all(looks)) {
    if (seen !== resource) fresh = withResource(fresh, resource.address, seen);
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
  // Its create broke off: whether it is there says nothing about what else there is to clear up.
  if (resource.status === 'creating') return resource;
  if (resource.type === 'secret') {
    const { name, namespace } = resource.attributes;
    if (provider.secrets === undefined) return resource;
    if (await provider.secrets.has(name, namespace, signal)) return resource;
    // Those it took the place of still want to be deleted.
    return resource.deposed === undefined ? undefined : { ...resource, status: 'creating' };
  }
  const { id } = resource.attributes;
  if (id === undefined) return resource;
  const remote = await provider.read(id, signal);
  if (remote === undefined) return undefined;
  const { status, ...rest } = resource;
  const attributes = withRemote(resource.attributes, remote);
  // It was condemned for not running, and it runs: what was not sent shows as a change.
  const isCleared =
    (status === 'tainted' || status === 'unfinished') &&
    (remote.status === 'running' || remote.status === 'idle');
  return { ...rest, ...(!isCleared && { status }), attributes };
}

function driftOf(before: Resource, after: Resource | undefined): Drift | undefined {
  const { address } = before;
  if (before.status === 'creating') return undefined;
  if (after === undefined || after.status === 'creating')
    return { address, kind: 'gone', changes: [], message: `${address} is not there any more` };
  if (before.type !== 'function' || after.type !== 'function') return undefined;
  // What a run of ours left half done was changed by nobody else.
  if (before.status !== undefined) return undefined;
  const { attributes } = after;
  const desired = { ...attributes, type: 'function', address, provider: after.provider } as const;
  const changes = functionChanges(before.attributes, desired);
  // No plan mends it, so it is said each time.
  if (attributes.status === 'failed') {
    return {
      address,
      kind: 'failed',
      changes,
      message: `${address} is there and does not run: its status is failed`,
    };
  }
  if (changes.length > 0) {
    const paths = changes.map(({ path }) => path).join(', ');
    return { address, kind: 'changed', changes, message: `${address} was changed outside: ${paths}` };
  }
  const { version: known } = before.attributes;
  const { version } = attributes;
  if (known === undefined || version === known) return undefined;
  return {
    address,
    kind: 'changed',
    changes,
    message: `${address} was deployed outside: its version is ${version}, and was ${known}`,
  };
}
