/** What every command over declared functions does first: read the file, the state and what is there. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadModule } from '../../packaging/index.js';
import {
  checkSource,
  type Declarations,
  type Desired,
  type Drift,
  describeFault,
  endpointFaults,
  openStateBackend,
  readSource,
  readState,
  refresh,
  resolveDeclarations,
  type Source,
  type State,
  type StateBackend,
  withEndpoints,
  withLock,
  withMoves,
} from '../../resources/index.js';
import { usageError } from '../exit-codes.js';
import { interruptible } from '../interrupt.js';
import { providerFaults } from './file-faults.js';
import { type Inputs, NO_INPUTS, readInputs } from './inputs.js';
import { OpenProviders } from './providers.js';

export interface SessionOptions {
  readonly state?: string;
  readonly breakLock?: string;
  /** The providers have moved since, with all that they hold. */
  readonly newEndpoint?: boolean;
  /** False with --no-refresh. */
  readonly refresh?: boolean;
}

export interface Session {
  readonly source: Source;
  /** Absolute paths of the file and of its state: no part of a folder's code. */
  readonly own: readonly string[];
  readonly declarations: Declarations;
  /** Tells what is meant, without hashes of code and values: those are in the inputs. */
  readonly declared: readonly Desired[];
  /** Those of the state are open. */
  readonly providers: OpenProviders;
  readonly backend: StateBackend;
  /** As it is kept. */
  readonly kept: State;
  /** With what is really there, under the addresses of the file. */
  readonly state: State;
  readonly drifts: readonly Drift[];
  readonly signal: AbortSignal;
}

export function withSession(command: Command): Command {
  return command
    .option(
      '--state <place>',
      'path, s3://bucket/key or postgres://…; default: jobferry.state.json beside the file',
    )
    .option('--new-endpoint', 'a provider has moved, with all that it holds: go on at its address of today')
    .option('--break-lock <id>', 'take away a lock whose owner is gone for certain');
}

/** They write nothing, but for a first state that `plan --out` makes. */
const READ_ONLY: ReadonlySet<string> = new Set(['plan', 'drift']);

/**
 * Opens everything for the time of `work`, with the state locked. Ctrl-C aborts the signal: what was done is in the state.
 * @throws {FaasError} CONFIG that lists every fault of the file
 */
export async function inSession<Result>(
  file: string,
  operation: string,
  options: SessionOptions,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const source = await readSource(file, loadModule);
  const { declarations, warnings } = checkSource(source);
  for (const warning of warnings) console.error(`warning: ${warning}`);
  const backend = await openStateBackend(placeOf(source, options));
  try {
    if (options.breakLock !== undefined) await backend.unlock(options.breakLock);
    const locked = async (signal: AbortSignal): Promise<Result> => {
      const kept = await readState(backend);
      const declared = desiredOf(declarations, kept);
      const providers = new OpenProviders(process.env);
      try {
        await providers.open(providersIn(kept));
        const moved = options.newEndpoint === true ? [] : endpointFaults(kept, providers.endpoints());
        if (moved.length > 0) throw usageError(moved.join('\n'));
        const fresh =
          options.refresh === false
            ? { state: kept, drifts: [] }
            : await refresh(kept, providers.get, signal);
        const state = withEndpoints(withMoves(fresh.state, declared), providers.endpoints());
        const { drifts } = fresh;
        const own = [source.path, resolve(placeOf(source, options))];
        const read = { source, own, declarations, declared };
        return await work({ ...read, providers, backend, kept, state, drifts, signal });
      } finally {
        await providers.close();
      }
    };
    const withoutLock = READ_ONLY.has(operation) ? warnWithoutLock : undefined;
    return await interruptible((signal) => withLock(backend, operation, () => locked(signal), withoutLock));
  } finally {
    await backend.close?.();
  }
}

/**
 * For who is going to send them: whoever only looks or deletes needs no code and no secret.
 * @throws {FaasError} CONFIG that lists all that is missing, or every reason why a function cannot run where it should
 */
export async function inputsFor(session: Session): Promise<Inputs> {
  const { source, own, declarations, kept, providers } = session;
  const { codes, secretValues, codeFaults, secretFaults } = await readInputs(
    declarations,
    source.folder,
    process.env,
    own,
  );
  const faults = [...providerFaults(declarations), ...codeFaults, ...secretFaults];
  if (faults.length > 0) throw usageError(faults.map((fault) => describeFault(source, fault)).join('\n'));
  const desired = desiredOf(declarations, kept, { codes, secretValues });
  await providers.open(desired.map(({ provider }) => provider));
  refuseImpossible(desired, providers);
  return { desired, codes, secretValues };
}

/** Where the state of a file is kept. */
export function placeOf({ folder }: Source, { state }: SessionOptions): string {
  return state ?? (process.env['JOBFERRY_STATE'] || `${folder}/jobferry.state.json`);
}

function warnWithoutLock(reason: string): void {
  console.error(`warning: ${reason} Going on without a lock: another may change the state meanwhile.`);
}

function desiredOf(
  declarations: Declarations,
  { secret_key: secretKey }: State,
  { codes, secretValues }: Pick<Inputs, 'codes' | 'secretValues'> = NO_INPUTS,
): Desired[] {
  const codeSha256 = new Map([...codes].map(([address, { sha256 }]) => [address, sha256]));
  return resolveDeclarations(declarations, { codeSha256, secretValues, secretKey });
}

function providersIn({ resources }: State): string[] {
  return [...resources.values()].flatMap((one) => [
    one.provider,
    ...(one.type === 'secret' ? (one.deposed ?? []) : []).map(({ provider }) => provider),
  ]);
}

/** Said before anything is made, and all of it at once. */
function refuseImpossible(desired: readonly Desired[], providers: OpenProviders): void {
  const reasons = desired.flatMap((one) => {
    const provider = providers.get(one.provider);
    if (one.type === 'function') return provider.cannotRun(one);
    return provider.secrets === undefined
      ? [
          `${one.address} cannot be kept at ${one.provider} because it has no secrets that could be managed here.`,
        ]
      : [];
  });
  if (reasons.length > 0) throw usageError(reasons.join('\n'));
}
