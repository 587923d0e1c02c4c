/** A provider in memory with the rules of the real ones, which can be cut off before or after any of its writes. */
import { FaasError } from '../../src/core/errors.js';
import {
  type Address,
  apply,
  type Code,
  type Declarations,
  type Desired,
  type DesiredFunction,
  emptyState,
  hasChanges,
  type Plan,
  plan,
  type RemoteFunction,
  type ResourceProvider,
  refresh,
  resolveDeclarations,
  type State,
  stateFromJson,
  stateToJson,
  withMoves,
} from '../../src/resources/index.js';

/** Ends a run as `kill -9` would: nothing after it happens. */
export class Cut extends Error {}

interface Made extends RemoteFunction {
  readonly reads: number;
}

export class World {
  readonly functions = new Map<string, Made>();
  readonly secrets = new Map<string, string>();
  readonly writes: string[] = [];
  /** What is saved: all that a killed process leaves behind. */
  saved = stateToJson(emptyState());
  /** Counts down over writes and saves; at 0 the run is cut off. */
  cutIn = Number.POSITIVE_INFINITY;
  /** Names that never run. */
  readonly broken = new Set<string>();
  #ids = 0;
  #isCut = false;

  get state(): State {
    return stateFromJson(this.saved);
  }

  /** As someone else would, past all of this. */
  makeByHand(name: string): string {
    this.#ids += 1;
    const id = `f${this.#ids}`;
    const remote = {
      id,
      name,
      namespace: 'default',
      status: 'running',
      statusText: 'Running',
      reads: 9,
    } as const;
    this.functions.set(id, remote);
    return id;
  }

  #moment(): void {
    if (this.#isCut) throw new Cut();
    this.cutIn -= 1;
    if (this.cutIn > 0) return;
    this.#isCut = true;
    throw new Cut();
  }

  async #write<Result>(what: string, act: () => Result): Promise<Result> {
    this.#moment();
    const result = act();
    this.writes.push(what);
    this.#moment();
    return result;
  }

  readonly provider: ResourceProvider = {
    name: 'world',
    cannotRun: () => [],
    create: (desired) =>
      this.#write(`create ${desired.name}`, () => {
        const { name, namespace = 'default' } = desired;
        if ([...this.functions.values()].some((one) => one.name === name && one.namespace === namespace)) {
          throw new FaasError({ code: 'CONFLICT', executed: 'no', message: `there is a ${name}` });
        }
        this.#needSecrets(desired);
        this.#ids += 1;
        const id = `f${this.#ids}`;
        this.functions.set(id, { id, reads: 0, ...this.#remote(desired) });
        return { id };
      }),
    read: async (id) => {
      if (this.#isCut) throw new Cut();
      const found = this.functions.get(id);
      if (found === undefined) return undefined;
      const failed = this.broken.has(found.name ?? '');
      const status = found.reads < 1 ? 'deploying' : failed ? 'failed' : 'running';
      this.functions.set(id, { ...found, reads: found.reads + 1 });
      return { ...found, status, statusText: status, ...(failed && { errorMessage: 'no such handler' }) };
    },
    find: async ({ name, namespace = 'default' }) => {
      if (this.#isCut) throw new Cut();
      return [...this.functions.values()].find((one) => one.name === name && one.namespace === namespace);
    },
    update: (id, group, desired) =>
      this.#write(`update ${desired.name} ${group}`, () => {
        const found = this.functions.get(id);
        if (found === undefined)
          throw new FaasError({ code: 'NOT_FOUND', executed: 'no', message: `no ${id}` });
        const all = this.#remote(desired);
        const parts = {
          code: { codeSha256: all.codeSha256 },
          config: { config: all.config },
          environment: { environment: all.environment, secrets: all.secrets },
          metadata: { labels: all.labels, annotations: all.annotations },
          value: {},
        }[group];
        if (group === 'environment') this.#needSecrets(desired);
        this.functions.set(id, { ...found, ...parts, reads: 0 } as Made);
      }),
    delete: (id) =>
      this.#write(
        `delete ${this.functions.get(id)?.name ?? 'nothing'}`,
        () => void this.functions.delete(id),
      ),
    secrets: {
      put: ({ name }, value) =>
        this.#write(`secret ${name}`, () => {
          this.secrets.set(name, value);
          return { id: name };
        }),
      has: async (name) => this.secrets.has(name),
      delete: (name) =>
        this.#write(`unsecret ${name}`, () => {
          const users = [...this.functions.values()].filter(({ secrets = [] }) => secrets.includes(name));
          if (users.length > 0) {
            throw new FaasError({
              code: 'CONFLICT',
              executed: 'no',
              message: `${users[0]?.name} uses ${name}`,
            });
          }
          this.secrets.delete(name);
        }),
    },
  };

  #needSecrets({ secrets }: DesiredFunction): void {
    const missing = secrets.find((name) => !this.secrets.has(name));
    if (missing === undefined) return;
    throw new FaasError({
      code: 'INVALID_REQUEST',
      executed: 'no',
      message: `there is no secret ${missing}`,
    });
  }

  #remote(desired: DesiredFunction): Omit<RemoteFunction, 'id'> {
    const {
      name,
      namespace = 'default',
      runtime,
      template,
      code_sha256: codeSha256,
      config,
      environment,
    } = desired;
    const { secrets, labels, annotations } = desired;
    return {
      name,
      namespace,
      status: 'deploying',
      statusText: 'Deploying',
      runtime,
      template,
      config,
      environment,
      secrets: [...secrets].reverse(),
      labels,
      annotations,
      invokeUrl: `https://world/${name}`,
      ...(codeSha256 !== undefined && { codeSha256 }),
    };
  }

  /** One run of `apply` in a process of its own: refresh, plan, apply. Throws Cut when it is cut off. */
  async run(
    declarations: Declarations,
    concurrency = 3,
  ): Promise<{ plan: Plan; failed: readonly { error: unknown }[] }> {
    this.#isCut = false;
    const prior = this.state;
    const inputs = inputsOf(declarations, prior);
    const desired = resolveDeclarations({ provider: 'world', ...declarations }, inputs);
    const signal = new AbortController().signal;
    const { state: seen } = await refresh(prior, () => this.provider, signal);
    const state = withMoves(seen, desired);
    const actions = plan(state, desired);
    const { failed } = await apply(actions, state, {
      desired,
      codes: new Map<Address, Code>(),
      secretValues: inputs.secretValues,
      provider: () => this.provider,
      save: async (next) => {
        this.#moment();
        this.saved = stateToJson(next);
        this.#moment();
      },
      signal,
      concurrency,
      waits: { pollFirstMs: 0, pollMostMs: 1, timeoutMs: 2000 },
    });
    if (this.#isCut) throw new Cut();
    return { plan: actions, failed };
  }

  async planned(declarations: Declarations): Promise<Plan> {
    const state = this.state;
    return plan(state, this.desired(declarations, state));
  }

  desired(declarations: Declarations, state = this.state): Desired[] {
    return resolveDeclarations({ provider: 'world', ...declarations }, inputsOf(declarations, state));
  }

  async isSettled(declarations: Declarations): Promise<boolean> {
    this.#isCut = false;
    this.cutIn = Number.POSITIVE_INFINITY;
    const { state } = await refresh(this.state, () => this.provider, new AbortController().signal);
    return !hasChanges(plan(state, this.desired(declarations, state)));
  }
}

/** Code and secrets by what is declared, without files. */
export function inputsOf({ functions = {}, secrets = {} }: Declarations, state: State) {
  const codeSha256 = new Map<Address, string>(
    Object.entries(functions).map(([key, { code_inline = '' }]) => [
      `function.${key}`,
      `sha-of-${code_inline}`,
    ]),
  );
  const secretValues = new Map<Address, string>(
    Object.entries(secrets).map(([key, { value_env = '' }]) => [`secret.${key}`, value_env]),
  );
  return { codeSha256, secretValues, secretKey: state.secret_key };
}
