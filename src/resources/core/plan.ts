/** prior state + desired resources -> actions with their reasons, in an order that works. Pure: nothing is read, nothing is changed. */
import { type Change, functionChanges, secretChanges, UPDATE_GROUPS, type UpdateGroup } from './diff.js';
import type { Address, Desired, DesiredFunction } from './model.js';
import type { FunctionResource, Resource, SecretResource, State } from './state.js';

export type ActionKind = 'create' | 'update' | 'replace' | 'delete' | 'no-op';

export interface Action {
  /** Names the action in its plan: the address, and `#old` behind it for what another resource takes the place of. */
  readonly key: string;
  readonly address: Address;
  readonly kind: ActionKind;
  /** What is wanted; undefined for a delete. */
  readonly desired: Desired | undefined;
  /** What the state knows; undefined for a create. */
  readonly prior: Resource | undefined;
  readonly changes: readonly Change[];
  /** Of an update: what is sent, in this order. */
  readonly groups: readonly UpdateGroup[];
  /** Why it is not something lesser, in words. */
  readonly reasons: readonly string[];
  /** Keys of the actions that come before. */
  readonly after: readonly string[];
}

export interface Plan {
  /** No-ops too; each action stands behind those it waits for. */
  readonly actions: readonly Action[];
  /** What the state must still be when the plan is applied. */
  readonly serial: number;
  readonly lineage: string;
}

export interface PlanOptions {
  /** Only these and what they depend on. Default: all. */
  readonly targets?: readonly Address[];
}

export function plan(state: State, desired: readonly Desired[], { targets }: PlanOptions = {}): Plan {
  const all = ordered(
    link([...desired.flatMap((one) => actionsFor(state, one, desired)), ...deletes(state, desired)], desired),
  );
  const actions = targets === undefined ? all : reachable(all, targets);
  return { actions, serial: state.serial, lineage: state.lineage };
}

export function hasChanges({ actions }: Plan): boolean {
  return actions.some(({ kind }) => kind !== 'no-op');
}

/** The secrets of this file that a function uses, by the names it gives. */
export function dependenciesOf(one: DesiredFunction, desired: readonly Desired[]): Address[] {
  return desired
    .filter(
      (other) =>
        other.type === 'secret' && other.provider === one.provider && one.secrets.includes(other.name),
    )
    .map(({ address }) => address)
    .sort();
}

type Unlinked = Omit<Action, 'after'>;

function actionsFor(state: State, desired: Desired, all: readonly Desired[]): Unlinked[] {
  const prior = state.resources.get(desired.address);
  const base = { key: desired.address, address: desired.address, desired, prior, groups: [] };
  if (prior === undefined || prior.type !== desired.type) {
    return [{ ...base, prior: undefined, kind: 'create', changes: [], reasons: ['it is not there yet'] }];
  }
  const changes = changesOf(prior, desired);
  const replacing = changes.filter(({ needs }) => needs === 'replace');
  const old = oldSecrets(prior, replacing.length > 0);
  if (prior.status === 'creating') {
    const reasons = ['its create broke off: what may be there of it is removed first'];
    return [{ ...base, kind: 'create', changes: [], reasons }, ...old];
  }
  const reasons = [
    ...(prior.status === 'tainted' && desired.type === 'function' ? ['its create failed'] : []),
    ...replacing.map(({ path }) => `${path} cannot be changed`),
  ];
  // A function goes before its successor comes, since both have one name; a secret stays until no function uses it.
  if (reasons.length > 0) return [{ ...base, kind: 'replace', changes, reasons }, ...old];
  const again = toSendAgain(prior);
  const groups = UPDATE_GROUPS.filter(
    (group) => changes.some(({ needs }) => needs === group) || again.includes(group),
  );
  const relinked = desired.type === 'function' && !sameList(prior.dependencies, dependenciesOf(desired, all));
  if (groups.length === 0) {
    return [
      { ...base, kind: 'no-op', changes, reasons: relinked ? ['its secrets are declared here now'] : [] },
      ...old,
    ];
  }
  const unfinished = again.length > 0 ? ['its last update broke off, or did not bring it to run'] : [];
  return [{ ...base, groups, kind: 'update', changes, reasons: unfinished }, ...old];
}

/** What an update of which the end is not known has to send, whatever there is to change. */
function toSendAgain({ status }: Resource): readonly UpdateGroup[] {
  // Nobody noted how much of it arrived, and not every provider tells all that it holds.
  if (status === 'updating') return ['code', 'config', 'environment', 'metadata'];
  // What arrived is noted, but it does not run: with half of what it needs, or with what it cannot run.
  if (status === 'unfinished') return ['code'];
  return [];
}

/** The provider of a resource is part of what it is. */
function changesOf(prior: Resource, desired: Desired): Change[] {
  const moved: Change[] =
    prior.provider === desired.provider
      ? []
      : [{ path: 'provider', before: prior.provider, after: desired.provider, needs: 'replace' }];
  if (prior.type === 'function' && desired.type === 'function') {
    return [...moved, ...functionChanges(prior.attributes, desired)];
  }
  if (prior.type === 'secret' && desired.type === 'secret') {
    return [...moved, ...secretChanges(prior.attributes, desired)];
  }
  return moved;
}

/** The delete of what another secret takes the place of, now or since a run that was cut off. */
function oldSecrets(prior: Resource, isReplaced: boolean): Unlinked[] {
  if (prior.type !== 'secret' || !(isReplaced || (prior.deposed ?? []).length > 0)) return [];
  return [oldDelete(prior)];
}

function oldDelete(prior: Resource): Unlinked {
  return {
    key: `${prior.address}#old`,
    address: prior.address,
    kind: 'delete',
    desired: undefined,
    prior,
    changes: [],
    groups: [],
    reasons: ['another has taken its place'],
  };
}

function deletes(state: State, desired: readonly Desired[]): Unlinked[] {
  const wanted = new Set<string>(desired.map(({ address }) => address));
  return [...state.resources.values()]
    .filter(({ address }) => !wanted.has(address))
    .map((prior) => ({
      key: prior.address,
      address: prior.address,
      kind: 'delete',
      desired: undefined,
      prior,
      changes: [],
      groups: [],
      reasons: ['it is declared no more'],
    }));
}

/** A function comes after its secrets, and a secret goes after the functions that used it. */
function link(actions: readonly Unlinked[], desired: readonly Desired[]): Action[] {
  return actions.map((action) => {
    const { address, desired: wanted, kind } = action;
    if (wanted?.type === 'function') {
      const secrets = new Set<string>(dependenciesOf(wanted, desired));
      return { ...action, after: actions.filter(({ key }) => secrets.has(key)).map(({ key }) => key) };
    }
    const secret = action.prior;
    if (kind !== 'delete' || secret?.type !== 'secret') return { ...action, after: [] };
    const users = actions.filter(
      ({ prior }) =>
        prior?.type === 'function' && (prior.dependencies.includes(address) || uses(prior, secret)),
    );
    const successor = action.key === address ? [] : [address];
    return { ...action, after: [...successor, ...users.map(({ key }) => key)] };
  });
}

/** By what is there: an update that was cut off may have given a function a secret that the state does not know of. */
function uses({ provider, attributes }: FunctionResource, secret: SecretResource): boolean {
  return [secret, ...(secret.deposed ?? [])].some(
    (one) => one.provider === provider && attributes.secrets.includes(one.attributes.name),
  );
}

/** Each behind those it waits for; otherwise by key, so that a plan of the same things is the same plan. */
function ordered(actions: readonly Action[]): Action[] {
  const byKey = new Map(
    [...actions].sort((a, b) => (a.key < b.key ? -1 : 1)).map((action) => [action.key, action]),
  );
  const done = new Map<string, Action>();
  const visit = (action: Action): void => {
    if (done.has(action.key)) return;
    for (const key of [...action.after].sort()) {
      const before = byKey.get(key);
      if (before !== undefined) visit(before);
    }
    done.set(action.key, action);
  };
  for (const action of byKey.values()) visit(action);
  return [...done.values()];
}

function reachable(actions: readonly Action[], targets: readonly Address[]): Action[] {
  const wanted = new Set<string>(targets);
  // Backwards: what an action waits for stands before it.
  for (const { key, address, after } of [...actions].reverse()) {
    if (wanted.has(key) || wanted.has(address)) for (const before of after) wanted.add(before);
  }
  return actions.filter(({ key, address }) => wanted.has(key) || wanted.has(address));
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
