/** What the platform offers beyond spec 1.0: asked by `GET /api`, once, and only when something could profit. */
import { FaasError } from '../../core/errors.js';
import type { CallContext, ProviderLimits } from '../../core/executor.js';
import { CallScope } from '../../core/scope.js';
import { untilCancelled } from '../shared/http.js';
import type { PlatformClient } from './client.js';
import { replyError } from './errors.js';
import { isWhole, narrowLimits } from './limits.js';
import { PROVIDER, type Settings } from './options.js';
import { isObject, parseObject } from './wire.js';

export type Feature = 'binary' | 'idempotency' | 'async' | 'cancel' | 'list' | 'conditional-replace' | 'logs';

export interface Offer {
  /** As the platform says it; `1.0` when it says nothing. */
  readonly spec: string;
  readonly features: ReadonlySet<string>;
  /** The longest a request for an invocation is held. */
  readonly maxWaitSecs: number;
  readonly logRetentionLines: number | undefined;
  /** Why nothing is known; the platform is taken for one of spec 1.0 until it is asked again. */
  readonly failure?: FaasError;
}

const DEFAULT_WAIT_SECS = 20;

/** A platform of spec 1.0, or one that is taken for it. */
export const SPEC_10: Offer = {
  spec: '1.0',
  features: new Set(),
  maxWaitSecs: DEFAULT_WAIT_SECS,
  logRetentionLines: undefined,
};

/** An answer that takes longer is no answer: calls wait for it. */
const TIMEOUT_MS = 5000;
/** After a failure, or after the platform has taken an offer back. */
const ASK_AGAIN_MS = 60_000;

/** What says nothing about the platform; every other 4xx comes from one that has no such route. */
const UNDECIDED: ReadonlySet<number> = new Set([401, 403, 408, 429]);

export class Discovery {
  #limits: ProviderLimits;
  readonly #settings: Settings;
  readonly #client: PlatformClient;
  #offer: Offer | undefined;
  /** By the monotonic clock; an offer is forgotten then. */
  #staleAtMs = Infinity;
  #asking: Promise<Offer> | undefined;
  #scope: CallScope | undefined;

  constructor(settings: Settings, client: PlatformClient) {
    this.#settings = settings;
    this.#client = client;
    this.#limits = settings.limits;
    if (settings.spec === '1.0') this.#offer = SPEC_10;
  }

  /** The options' limits, narrowed by what the platform states once it was asked. */
  get limits(): ProviderLimits {
    return this.#limits;
  }

  /** What is known without asking. For the hot path. */
  get known(): Offer | undefined {
    if (this.#staleAtMs !== Infinity && performance.now() >= this.#staleAtMs) {
      this.#offer = undefined;
      this.#staleAtMs = Infinity;
    }
    return this.#offer;
  }

  /** Asks in the background where that was not done yet: later calls profit, this one waits for nothing. */
  wish(): void {
    if (this.known === undefined) void this.#ask();
  }

  /**
   * Waits until it is known. A platform that cannot be asked is taken for one of spec 1.0, with `failure`.
   * @throws {FaasError} `executed: no`: the call was cancelled; with `spec: '1.1'` also why it is not that.
   */
  async learn(context: Pick<CallContext, 'onCancel'>): Promise<Offer> {
    const { place } = this.#client.destination('the platform');
    const offer = this.known ?? (await untilCancelled(this.#ask(), place, context));
    if (this.#settings.spec === '1.1') {
      if (offer.failure !== undefined) throw offer.failure;
      if (!speaks11(offer)) throw this.unsupported("`spec: '1.1'`", `it speaks spec ${offer.spec}`);
    }
    return offer;
  }

  /**
   * The offer, which holds `feature`.
   * @throws {FaasError} UNSUPPORTED when it does not, or why the platform could not be asked.
   */
  async require(feature: Feature, what: string, context: Pick<CallContext, 'onCancel'>): Promise<Offer> {
    const offer = await this.learn(context);
    if (offer.features.has(feature)) return offer;
    if (offer.failure !== undefined) throw offer.failure;
    const why = `it speaks spec ${offer.spec} of the custom-FaaS spec and does not offer \`${feature}\``;
    throw this.unsupported(what, why);
  }

  /** The platform has refused what it once offered: another version of it, perhaps. It is asked again later. */
  forget(): void {
    this.#settle(SPEC_10, ASK_AGAIN_MS);
  }

  /** Says by name what this platform cannot do. */
  unsupported(what: string, why: string): FaasError {
    return new FaasError({
      code: 'UNSUPPORTED',
      executed: 'no',
      provider: PROVIDER,
      message: `${what} is not possible on ${this.#settings.origin}: ${why}.`,
    });
  }

  close(): void {
    this.#scope?.cancel(
      new FaasError({ code: 'CANCELLED', executed: 'no', message: 'The executor was closed.' }),
    );
  }

  /** One request however many wait for it; never rejects. */
  #ask(): Promise<Offer> {
    this.#asking ??= this.#request()
      .catch((failure: unknown) => this.#failed(failure))
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  async #request(): Promise<Offer> {
    const to = this.#client.destination('GET /api');
    const message = {
      method: 'GET' as const,
      path: `${this.#settings.prefix}/api`,
      headers: ['accept', 'application/json'],
    };
    const scope = new CallScope();
    this.#scope = scope;
    scope.arm(TIMEOUT_MS);
    const reply = await this.#client.send(to, message, scope).finally(() => scope.disarm());
    if (UNDECIDED.has(reply.status) || reply.status >= 500) {
      throw replyError(reply, to.place, this.#client.redact);
    }
    const about = reply.status === 200 ? parseObject(reply.body.toString('utf8')) : undefined;
    return this.#settle(about === undefined ? SPEC_10 : this.#read(about), Infinity);
  }

  #read(about: Readonly<Record<string, unknown>>): Offer {
    const limits = isObject(about['limits']) ? about['limits'] : {};
    this.#limits = narrowLimits(this.#settings.limits, limits, this.#settings.origin);
    const { max_wait_secs: waitSecs, log_retention_lines: lines } = limits;
    const offer = {
      spec: typeof about['spec'] === 'string' ? about['spec'].slice(0, 20) : SPEC_10.spec,
      features: new Set<string>(),
      maxWaitSecs: isWhole(waitSecs) ? waitSecs : DEFAULT_WAIT_SECS,
      logRetentionLines: isWhole(lines) ? lines : undefined,
    };
    const { features } = about;
    if (!speaks11(offer) || !Array.isArray(features)) return offer;
    return { ...offer, features: new Set(features.filter((name) => typeof name === 'string')) };
  }

  #failed(cause: unknown): Offer {
    const failure = FaasError.is(cause)
      ? cause.with({ executed: 'no' })
      : this.unsupported('GET /api', 'it failed');
    return this.#settle({ ...SPEC_10, failure }, ASK_AGAIN_MS);
  }

  #settle(offer: Offer, forMs: number): Offer {
    this.#offer = offer;
    this.#staleAtMs = performance.now() + forMs;
    return offer;
  }
}

/** 1.1 or a later 1.x, which must hold it. */
function speaks11({ spec }: Pick<Offer, 'spec'>): boolean {
  const minor = /^1\.(\d+)$/.exec(spec)?.[1];
  return minor !== undefined && Number(minor) >= 1;
}
