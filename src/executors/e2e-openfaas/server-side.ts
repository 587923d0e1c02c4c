/** What a server keeps beside functions: secrets, namespaces, and a word on itself. */
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { inScope } from '../shared/in-scope.js';
import { notExecuted } from './api.js';
import { PROVIDER } from './options.js';
import type { Profile } from './profile.js';
import type { Settings } from './settings.js';

const TIMEOUT_MS = 60_000;

/** Every method throws UNSUPPORTED where the profile's API has nothing of the kind. */
export class ServerSide {
  readonly #settings: Settings;
  readonly #profile: Profile;

  constructor(settings: Settings, profile: Profile) {
    this.#settings = settings;
    this.#profile = profile;
  }

  /** Creates or replaces. OpenFaaS shows it to functions as a file, from their next deploy on. */
  putSecret(name: string, value: string | Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#do(signal, this.#profile.secrets, 'secrets', (secrets, scope) =>
      secrets.put(name, value, scope),
    );
  }

  /** Names; values are never read back. */
  listSecrets(signal?: AbortSignal): Promise<string[]> {
    return this.#do(signal, this.#profile.secrets, 'secrets', (secrets, scope) => secrets.list(scope));
  }

  /** Twice is fine. */
  deleteSecret(name: string, signal?: AbortSignal): Promise<void> {
    return this.#do(signal, this.#profile.secrets, 'secrets', (secrets, scope) =>
      secrets.delete(name, scope),
    );
  }

  listNamespaces(signal?: AbortSignal): Promise<string[]> {
    const { namespaces } = this.#profile;
    return this.#do(signal, namespaces?.list?.bind(namespaces), 'list of namespaces', (list, scope) =>
      list(scope),
    );
  }

  /** One that is there already is fine. */
  createNamespace(name: string, signal?: AbortSignal): Promise<void> {
    return this.#do(signal, this.#profile.namespaces, 'namespaces', (all, scope) => all.create(name, scope));
  }

  deleteNamespace(name: string, signal?: AbortSignal): Promise<void> {
    return this.#do(signal, this.#profile.namespaces, 'namespaces', (all, scope) => all.delete(name, scope));
  }

  /** As the server says it: `GET /system/info` of a gateway. */
  info(signal?: AbortSignal): Promise<object> {
    const { info } = this.#profile;
    return this.#do(signal, info?.bind(this.#profile), 'information', (ask, scope) => ask(scope));
  }

  async #do<Part, T>(
    signal: AbortSignal | undefined,
    part: Part | undefined,
    what: string,
    work: (part: Part, scope: CallScope) => Promise<T>,
  ): Promise<T> {
    if (part === undefined) {
      const message = `The API of the profile ${this.#settings.profile} has no ${what}.`;
      throw new FaasError({ code: 'UNSUPPORTED', executed: 'no', provider: PROVIDER, message });
    }
    return inScope(signal, TIMEOUT_MS, (scope) => work(part, scope)).catch((failure: unknown) => {
      throw notExecuted(failure);
    });
  }
}
