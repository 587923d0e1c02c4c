/** One action on a function. The state is written before and after every request that another run could not undo. */
import { FaasError } from '../core/errors.js';
import { inPlaceOf, isSameThing } from './core/identity.js';
import type { Address, Desired, DesiredFunction } from './core/model.js';
import { type Action, dependenciesOf } from './core/plan.js';
import type { FunctionResource, State } from './core/state.js';
import { attributesOf, withGroups, withRemote } from './merge.js';
import type { ResourceProvider } from './provider.js';
import type { Run } from './run.js';
import { untilGone, untilRunning } from './waits.js';

export async function applyFunction(action: Action, run: Run): Promise<void> {
  const { kind, prior, desired } = action;
  const old = prior?.type === 'function' ? prior : undefined;
  const wanted = desired?.type === 'function' ? desired : undefined;
  switch (kind) {
    case 'no-op':
      return relink(run, old, wanted);
    case 'delete':
      return remove(run, old);
    case 'update':
      if (old !== undefined && wanted !== undefined) return update(run, action, old, wanted);
      return;
    case 'create':
    case 'replace':
      if (wanted === undefined) return;
      if (kind === 'replace' && (await runsByNow(run, action, old))) return;
      return make(run, inPlaceOf(wanted, old), old);
  }
}

/** What is replaced only because it was not seen to run is kept when it does: it was sent all that it needs. */
async function runsByNow(run: Run, { changes }: Action, old: FunctionResource | undefined): Promise<boolean> {
  if (old?.status !== 'tainted' || changes.length > 0) return false;
  const remote = await run.provider(old.provider).read(idOf(old), run.signal);
  if (remote?.status !== 'running' && remote?.status !== 'idle') return false;
  const attributes = withRemote(old.attributes, remote, { sent: true });
  await run.commit(old.address, { ...old, status: undefined, attributes });
  return true;
}

async function make(run: Run, desired: DesiredFunction, old: FunctionResource | undefined): Promise<void> {
  // Before anything is deleted for it. What is the same thing is what we are about to delete.
  if (old === undefined || !isSameThing(old, desired)) await refuseNamesake(run, desired);
  // An earlier create, of whatever name, may have reached the provider: nobody kept the answer.
  await remove(run, old);
  return create(run, desired);
}

/** `creating` in the state means that nobody had the name when it was written: what has it later is ours. */
async function refuseNamesake(run: Run, desired: DesiredFunction): Promise<void> {
  const { address, name, provider } = desired;
  const namesake = await run.provider(provider).find(desired, run.signal);
  if (namesake === undefined) return;
  const holder = holderOf(run.state, provider, namesake.id);
  if (holder === address) return;
  // Who names no namespace is told of all: it may stand in another one than is meant.
  const isAnyPlace = desired.namespace === undefined && namesake.namespace !== undefined;
  const place = isAnyPlace ? ` in the namespace ${namesake.namespace}` : '';
  const what = `${provider} has a function ${namesake.name ?? name} (${namesake.id})${place} that is`;
  if (holder === undefined) {
    const elsewhere = isAnyPlace ? ' Declare a `namespace` to have one elsewhere.' : '';
    throw importable(conflict(desired, `${what} not managed here.${elsewhere}`), desired);
  }
  throw conflict(desired, `${what} managed here as ${holder}. Give one of them another name or job id.`);
}

async function create(run: Run, desired: DesiredFunction): Promise<void> {
  const { address } = desired;
  const provider = run.provider(desired.provider);
  const jobId = provider.jobIdOf?.(desired);
  const known = {
    ...attributesOf(desired),
    ...(jobId !== undefined && { job_id: jobId, id: String(jobId) }),
  };
  const base = {
    type: 'function',
    address,
    provider: desired.provider,
    dependencies: dependencies(run, desired),
  } as const;
  await run.commit(address, { ...base, status: 'creating', attributes: known });
  let id: string;
  try {
    ({ id } = await provider.create(desired, run.codes.get(address), run.signal));
  } catch (failure) {
    if (await leftNothing(run, desired, failure)) await run.commit(address, undefined);
    throw importable(failure, desired);
  }
  await run.commit(address, { ...base, status: 'tainted', attributes: { ...known, id } });
  const remote = await untilRunning(provider, id, run.waits, run.signal);
  await run.commit(address, { ...base, attributes: withRemote({ ...known, id }, remote, { sent: true }) });
}

/** That no code ran says nothing of what was made: only who looks and finds nothing may forget it. */
async function leftNothing(run: Run, desired: DesiredFunction, failure: unknown): Promise<boolean> {
  if (!FaasError.is(failure) || failure.executed !== 'no') return false;
  if (failure.code === 'CONFLICT') return true;
  const look = run.provider(desired.provider).find(desired, run.signal);
  return look.then(
    (found) => found === undefined,
    () => false,
  );
}

async function update(
  run: Run,
  { groups }: Action,
  prior: FunctionResource,
  desired: DesiredFunction,
): Promise<void> {
  const { address } = desired;
  const provider = run.provider(desired.provider);
  const id = idOf(prior);
  const done: (typeof groups)[number][] = [];
  const keep = async (status?: 'unfinished'): Promise<void> => {
    const remote = await provider.read(id, run.signal);
    const sent = withGroups(prior.attributes, desired, done);
    const attributes =
      remote === undefined ? sent : withRemote(sent, remote, { sent: done.includes('code') });
    await run.commit(address, { ...prior, status, dependencies: dependencies(run, desired), attributes });
  };
  await run.commit(address, { ...prior, status: 'updating' });
  try {
    for (const group of groups) {
      await provider.update(id, group, desired, run.codes.get(address), run.signal);
      done.push(group);
    }
    await untilRunning(provider, id, run.waits, run.signal);
  } catch (failure) {
    // What was sent counts, what was not is sent by the next run. A provider that cannot be asked leaves the state as it was.
    await keep('unfinished').catch(() => {});
    throw failure;
  }
  await keep();
}

async function remove(run: Run, prior: FunctionResource | undefined): Promise<void> {
  if (prior === undefined) return;
  const provider = run.provider(prior.provider);
  const { id } = prior.attributes;
  const there = id ?? (await provider.find(prior.attributes, run.signal))?.id;
  if (there !== undefined) await removeById(run, provider, there);
  await run.commit(prior.address, undefined);
}

async function removeById(run: Run, provider: ResourceProvider, id: string): Promise<void> {
  await provider.delete(id, run.signal);
  await untilGone(provider, id, run.waits, run.signal);
}

/** Nothing to send, but the order of later deletes depends on it. */
async function relink(
  run: Run,
  prior: FunctionResource | undefined,
  desired: DesiredFunction | undefined,
): Promise<void> {
  if (prior === undefined || desired === undefined) return;
  const now = dependencies(run, desired);
  if (now.join() !== prior.dependencies.join())
    await run.commit(prior.address, { ...prior, dependencies: now });
}

function dependencies(run: Run, desired: DesiredFunction): ReturnType<typeof dependenciesOf> {
  return dependenciesOf(desired, run.desired as readonly Desired[]);
}

function idOf({ address, attributes: { id } }: FunctionResource): string {
  if (id !== undefined) return id;
  throw new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `The state knows ${address} without an id. Refresh it.`,
  });
}

/** Under which address the state holds what the provider knows by this id. */
function holderOf({ resources }: State, provider: string, id: string): Address | undefined {
  return [...resources.values()].find((one) => one.provider === provider && one.attributes.id === id)
    ?.address;
}

function conflict({ provider, name: functionName }: DesiredFunction, message: string): FaasError {
  return new FaasError({ code: 'CONFLICT', executed: 'no', provider, functionName, message });
}

function importable(failure: unknown, { address, name }: DesiredFunction): unknown {
  if (!FaasError.is(failure) || failure.code !== 'CONFLICT') return failure;
  const message = `${failure.message} To manage the one that is there: jobferry import FILE ${address} ${name}`;
  return failure.with({ message });
}
