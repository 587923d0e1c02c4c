/** One action on a function. The state is written before and after every request that another run could not undo. */
import { FaasError } from '../core/errors.js';
import type { Desired, DesiredFunction } from './core/model.js';
import { type Action, dependenciesOf } from './core/plan.js';
import type { FunctionResource } from './core/state.js';
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
      // Before anything is deleted for it. What has our own name is what we are about to delete.
      if (old === undefined || isElsewhere(old, wanted)) await refuseNamesake(run, wanted);
      // An earlier create, of whatever name, may have reached the provider: nobody kept the answer.
      await remove(run, old);
      return create(run, wanted);
  }
}

/** `creating` in the state means that nobody had the name when it was written: what has it later is ours. */
async function refuseNamesake(run: Run, desired: DesiredFunction): Promise<void> {
  const { name, provider } = desired;
  const namesake = await run.provider(provider).find(desired, run.signal);
  if (namesake === undefined) return;
  const message = `${provider} has a function ${namesake.name ?? name} (${namesake.id}) that is not managed here.`;
  throw conflictExplained(
    new FaasError({ code: 'CONFLICT', executed: 'no', provider, functionName: name, message }),
    desired,
  );
}

function isElsewhere({ provider, attributes }: FunctionResource, desired: DesiredFunction): boolean {
  const { name, namespace = attributes.namespace, job_id } = desired;
  return (
    provider !== desired.provider ||
    attributes.name !== name ||
    attributes.namespace !== namespace ||
    attributes.job_id !== job_id
  );
}

async function create(run: Run, desired: DesiredFunction): Promise<void> {
  const { address } = desired;
  const provider = run.provider(desired.provider);
  const known = attributesOf(desired);
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
    // Only who is sure that nothing is there forgets it.
    if (FaasError.is(failure) && failure.executed === 'no') await run.commit(address, undefined);
    throw conflictExplained(failure, desired);
  }
  await run.commit(address, { ...base, status: 'tainted', attributes: { ...known, id } });
  const remote = await untilRunning(provider, id, run.waits, run.signal);
  await run.commit(address, { ...base, attributes: withRemote({ ...known, id }, remote, { sent: true }) });
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
  const keep = async (): Promise<void> => {
    const remote = await provider.read(id, run.signal);
    const sent = withGroups(prior.attributes, desired, done);
    const attributes =
      remote === undefined ? sent : withRemote(sent, remote, { sent: done.includes('code') });
    await run.commit(address, { ...prior, dependencies: dependencies(run, desired), attributes });
  };
  try {
    for (const group of groups) {
      await provider.update(id, group, desired, run.codes.get(address), run.signal);
      done.push(group);
    }
    await untilRunning(provider, id, run.waits, run.signal);
  } catch (failure) {
    // What was sent counts, what was not is sent by the next run. A provider that cannot be asked leaves the state as it was.
    await keep().catch(() => {});
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

function conflictExplained(failure: unknown, { address, name }: DesiredFunction): unknown {
  if (!FaasError.is(failure) || failure.code !== 'CONFLICT') return failure;
  const message = `${failure.message} To manage the one that is there: jobferry import FILE ${address} ${name}`;
  return failure.with({ message });
}
