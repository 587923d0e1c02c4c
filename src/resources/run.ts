/** One run over a plan: what its steps share, and the state as it grows. */
import type { Address, Desired } from './core/model.js';
import { type Resource, type State, withResource } from './core/state.js';
import type { Code, ResourceProvider } from './provider.js';
import type { WaitOptions } from './waits.js';

export interface RunOptions {
  readonly desired: readonly Desired[];
  readonly codes: ReadonlyMap<Address, Code>;
  readonly secretValues: ReadonlyMap<Address, string>;
  /** @throws {FaasError} CONFIG for a name nobody knows */
  readonly provider: (name: string) => ResourceProvider;
  /** Puts the state where the next run finds it. Called one at a time. */
  readonly save: (state: State) => Promise<void>;
  readonly waits: WaitOptions;
  readonly signal: AbortSignal;
}

export class Run {
  readonly desired: readonly Desired[];
  readonly codes: RunOptions['codes'];
  readonly secretValues: RunOptions['secretValues'];
  readonly provider: RunOptions['provider'];
  readonly waits: WaitOptions;
  readonly signal: AbortSignal;
  readonly #save: RunOptions['save'];
  #state: State;
  #saving: Promise<void> = Promise.resolve();

  constructor(state: State, options: RunOptions) {
    this.#state = state;
    this.desired = options.desired;
    this.codes = options.codes;
    this.secretValues = options.secretValues;
    this.provider = options.provider;
    this.waits = options.waits;
    this.signal = options.signal;
    this.#save = options.save;
  }

  get state(): State {
    return this.#state;
  }

  /** Resolves when it is saved. Steps that run side by side wait for one another here only. */
  commit(address: Address, resource: Resource | undefined): Promise<void> {
    return this.change((state) => withResource(state, address, resource));
  }

  change(update: (state: State) => State): Promise<void> {
    const saved = this.#saving.then(async () => {
      const next = { ...update(this.#state), serial: this.#state.serial + 1 };
      await this.#save(next);
      this.#state = next;
    });
    this.#saving = saved.catch(() => {});
    return saved;
  }
}
