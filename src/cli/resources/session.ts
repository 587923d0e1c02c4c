/** What every command over declared functions does first: read the file, the state, the code and what is there. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadModule, packageFiles } from '../../packaging/index.js';
import {
  type Address,
  type Code,
  checkSource,
  type Declarations,
  type Desired,
  type Drift,
  type Endpoint,
  endpointFaults,
  openStateBackend,
  readCodes,
  readSecretValues,
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
import { inputsOf, OpenProviders } from './providers.js';

export interface SessionOptions {
  readonly state?: string;
  readonly breakLock?: string;
  readonly newEndpoint?: boolean;
  /** False with --no-refresh. */
  readonly refresh?: boolean;
}

export interface Session {
  readonly source: Source;
  readonly declarations: Declarations;
  readonly desired: readonly Desired[];
  readonly codes: ReadonlyMap<Address, Code>;
  readonly secretValues: ReadonlyMap<Address, string>;
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

/**
 * Opens everything for the time of `work`, with the state locked. Ctrl-C aborts the signal: what was done is in the state.
 * @throws {FaasError} CONFIG that lists every fault of the file, or every reason why a function cannot run where it should
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
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    if (options.breakLock !== undefined) await backend.unlock(options.breakLock);
    return await withLock(backend, operation, async () => {
      const kept = await readState(backend);
      const read = await readInputs(source, declarations, kept, options);
      const names = [...read.desired, ...kept.resources.values()].map(({ provider }) => provider);
      const providers = await OpenProviders.open(names, process.env);
      try {
        refuseImpossible(read.desired, providers);
        const endpoints = endpointsOf(names, providers);
        const faults = options.newEndpoint === true ? [] : endpointFaults(kept, endpoints);
        if (faults.length > 0) throw usageError(faults.join('\n'));
        const { signal } = interrupted;
        const fresh =
          options.refresh === false
            ? { state: kept, drifts: [] }
            : await refresh(kept, providers.get, signal);
        const state = withEndpoints(withMoves(fresh.state, read.desired), endpoints);
        const { drifts } = fresh;
        return await work({ source, declarations, ...read, providers, backend, kept, state, drifts, signal });
      } finally {
        await providers.close();
      }
    });
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await backend.close?.();
  }
}

/** Where the state of a file is kept. */
export function placeOf({ folder }: Source, { state }: SessionOptions): string {
  return state ?? process.env['JOBFERRY_STATE'] ?? `${folder}/jobferry.state.json`;
}

async function readInputs(source: Source, declarations: Declarations, state: State, options: SessionOptions) {
  const own = [source.path, resolve(placeOf(source, options))];
  const codes = await readCodes(declarations, source.folder, packageFiles, { own, inputsOf });
  const secretValues = await readSecretValues(declarations, source.folder, process.env);
  const codeSha256 = new Map([...codes].map(([address, { sha256 }]) => [address, sha256]));
  const inputs = { codeSha256, secretValues, secretKey: state.secret_key };
  return { codes, secretValues, desired: resolveDeclarations(declarations, inputs) };
}

function endpointsOf(names: readonly string[], providers: OpenProviders): Map<string, Endpoint> {
  return new Map(
    names.flatMap((name) => {
      const { endpoint } = providers.get(name);
      return endpoint === undefined ? [] : [[name, endpoint] as const];
    }),
  );
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
