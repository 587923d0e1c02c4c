/**
 * Who may call a function: `roles/run.invoker` on its Cloud Run service. What a deploy of ours gave and a later one no
 * longer names is taken back; what others gave stays, but for everyone's access when it is refused by name.
 */
import { FaasError } from '../../core/errors.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { type Fields, isObject } from '../shared/json.js';
import type { CloudFunction } from './control-plane.js';
import type { Settings } from './options.js';
import { hashOf, rememberedIn } from './remembered.js';
import type { Rest } from './rest.js';

const INVOKER = 'roles/run.invoker';
export const EVERYONE: readonly unknown[] = ['allUsers', 'allAuthenticatedUsers'];
/** Someone else changes the policy at the same time: read and written again this often. */
const POLICY_TRIES = 5;

export interface WantedInvokers {
  readonly members: readonly string[];
  /** `allowUnauthenticated: false` was said: everyone's access goes, whoever gave it. */
  readonly isPrivate: boolean;
}

export class Invokers {
  readonly #settings: Settings;
  readonly #rest: Rest;
  readonly #wanted: WantedInvokers;
  readonly #functionName: string;
  readonly #scope: CallScope;

  constructor(
    settings: Settings,
    rest: Rest,
    wanted: WantedInvokers,
    functionName: string,
    scope: CallScope,
  ) {
    this.#settings = settings;
    this.#rest = rest;
    this.#wanted = wanted;
    this.#functionName = functionName;
    this.#scope = scope;
  }

  /**
   * Hashes of the members to remember before the policy is written, so that a deploy which breaks off has forgotten none:
   * those that we gave, and those that we are about to give. Who has it already has it of someone else.
   */
  async toRemember(current: CloudFunction | undefined): Promise<ReadonlySet<string>> {
    const { members } = this.#wanted;
    const ours = rememberedIn(current?.labels, 'invokers');
    const service = current?.serviceConfig?.service;
    if (members.length === 0) return ours;
    const granted = service ? await this.#granted(service) : [];
    return new Set([...ours, ...members.filter((member) => !granted.includes(member)).map(hashOf)]);
  }

  /** Nobody, when the service is gone: the deploy makes it anew. */
  async #granted(service: string) {
    try {
      return grantedIn(bindingsOf(await this.#policy(service)));
    } catch (failure) {
      if (FaasError.is(failure) && failure.code === 'NOT_FOUND') return [];
      throw failure;
    }
  }

  /** Writes the policy where it differs. Resolves to the hashes to remember from now on. */
  async permit({ labels, serviceConfig }: CloudFunction, onWrite: () => void): Promise<ReadonlySet<string>> {
    const { members, isPrivate } = this.#wanted;
    const ours = rememberedIn(labels, 'invokers');
    const service = serviceConfig?.service;
    if (!service || (members.length === 0 && ours.size === 0 && !isPrivate)) return ours;
    const isRevoked = (member: unknown) =>
      !members.includes(String(member)) &&
      (ours.has(hashOf(String(member))) || (isPrivate && EVERYONE.includes(member)));
    await this.#change(service, isRevoked, onWrite);
    return new Set(members.map(hashOf).filter((hash) => ours.has(hash)));
  }

  async #change(
    service: string,
    isRevoked: (member: unknown) => boolean,
    onWrite: () => void,
  ): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const policy = await this.#policy(service);
      const bindings = bindingsOf(policy);
      const granted = grantedIn(bindings);
      const missing = this.#wanted.members.filter((member) => !granted.includes(member));
      const kept = granted.filter((member) => !isRevoked(member));
      if (missing.length === 0 && kept.length === granted.length) return;
      onWrite();
      const members = [...kept, ...missing];
      const role = members.length === 0 ? [] : [{ role: INVOKER, members }];
      const body = {
        policy: { ...policy, bindings: [...bindings.filter((one) => !isInvoker(one)), ...role] },
      };
      try {
        // The etag of what was read goes back: a change in between is refused, not overwritten.
        const url = this.#url(`${service}:setIamPolicy`);
        await this.#rest.call('POST', url, body, this.#functionName, this.#scope);
        return;
      } catch (failure) {
        if (!FaasError.is(failure) || failure.code !== 'CONFLICT' || tries === POLICY_TRIES) throw failure;
        await sleep(this.#settings.pollMs, this.#scope);
      }
    }
  }

  #policy(service: string): Promise<Fields> {
    // Without the version, a policy with conditions is answered without them, and would be written back so.
    const url = this.#url(`${service}:getIamPolicy?options.requestedPolicyVersion=3`);
    return this.#rest.call('GET', url, undefined, this.#functionName, this.#scope);
  }

  #url(path: string): URL {
    return new URL(`/v2/${path}`, this.#settings.runEndpoint);
  }
}

function bindingsOf(policy: Fields): Fields[] {
  return Array.isArray(policy['bindings']) ? policy['bindings'].filter(isObject) : [];
}

/** A grant with a condition is another one, and never ours. */
function isInvoker(binding: Fields): boolean {
  return binding['role'] === INVOKER && binding['condition'] === undefined;
}

function grantedIn(bindings: readonly Fields[]): unknown[] {
  return bindings
    .filter(isInvoker)
    .flatMap((one) => (Array.isArray(one['members']) ? (one['members'] as unknown[]) : []));
}
