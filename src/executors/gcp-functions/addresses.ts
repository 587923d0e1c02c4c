/** Where each job's function answers: asked of Google once, and again when it is not found there. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { untilCancelled } from '../shared/http.js';
import { inScope } from '../shared/in-scope.js';
import type { CloudFunction, ControlPlane } from './control-plane.js';
import { functionNameOf, PROVIDER, type Settings } from './options.js';

/** After our own deploy, for which a 404 means that the function is not routed yet (from documentation). */
const ROUTING_MS = 60_000;
const ASK_TIMEOUT_MS = 60_000;

export interface Address {
  readonly functionName: string;
  readonly origin: string;
  readonly path: string;
  /** What the ID token must be made for. */
  readonly audience: string;
}

export class Addresses {
  readonly #settings: Settings;
  readonly #control: ControlPlane;
  readonly #known = new Map<JobId, Address>();
  readonly #asking = new Map<JobId, Promise<Address>>();
  readonly #deployedAtMs = new Map<JobId, number>();

  constructor(settings: Settings, control: ControlPlane) {
    this.#settings = settings;
    this.#control = control;
  }

  /** Undefined when it has to be asked for. Hot paths look here first. */
  now(jobId: JobId): Address | undefined {
    return this.#known.get(jobId);
  }

  /** @throws {FaasError} NOT_FOUND, `executed: no`, when nothing is deployed */
  async of(jobId: JobId, context: CallContext): Promise<Address> {
    const known = this.#known.get(jobId);
    if (known !== undefined) return known;
    const functionName = functionNameOf(this.#settings, jobId);
    const given = this.#settings.functionUrl?.(jobId);
    if (given !== undefined) return this.#keep(jobId, addressOf(functionName, given));
    let asking = this.#asking.get(jobId);
    if (asking === undefined) {
      asking = this.#ask(jobId, functionName).finally(() => this.#asking.delete(jobId));
      this.#asking.set(jobId, asking);
    }
    const place = { provider: PROVIDER, functionName, origin: 'cloudfunctions.googleapis.com' };
    return untilCancelled(asking, place, context);
  }

  /** Asks anew. Undefined when it is the one that is known already, so that another try would end alike. */
  async renew(jobId: JobId, old: Address, context: CallContext): Promise<Address | undefined> {
    if (this.#known.get(jobId) === old) this.#known.delete(jobId);
    const fresh = await this.of(jobId, context);
    return fresh.origin === old.origin && fresh.path === old.path ? undefined : fresh;
  }

  deployed(jobId: JobId, fn: CloudFunction): void {
    this.#deployedAtMs.set(jobId, Date.now());
    const uri = fn.serviceConfig?.uri;
    if (uri) this.#keep(jobId, addressOf(functionNameOf(this.#settings, jobId), uri));
  }

  forget(jobId: JobId): void {
    this.#known.delete(jobId);
    this.#deployedAtMs.delete(jobId);
  }

  mayBeUnrouted(jobId: JobId): boolean {
    return Date.now() - (this.#deployedAtMs.get(jobId) ?? -Infinity) < ROUTING_MS;
  }

  #keep(jobId: JobId, address: Address): Address {
    this.#known.set(jobId, address);
    return address;
  }

  /** In a time of its own: a caller that gives up leaves the others waiting. */
  #ask(jobId: JobId, functionName: string): Promise<Address> {
    return inScope(undefined, ASK_TIMEOUT_MS, async (scope) => {
      const uri = (await this.#control.get(functionName, scope))?.serviceConfig?.uri;
      if (uri) return this.#keep(jobId, addressOf(functionName, uri));
      throw new FaasError({
        code: 'NOT_FOUND',
        executed: 'no',
        provider: PROVIDER,
        functionName,
        message: `${functionName} is not deployed in ${this.#control.parent}. Deploy it first.`,
      });
    });
  }
}

/** For `*.run.app` the audience is the service; for `cloudfunctions.net` it includes the path. */
function addressOf(functionName: string, uri: string): Address {
  const { origin, pathname } = new URL(uri);
  return { functionName, origin, path: pathname, audience: `${origin}${pathname.replace(/\/$/, '')}` };
}
