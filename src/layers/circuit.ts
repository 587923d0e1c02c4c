/** The state of one circuit: closed, open, or half-open with one probe on its way. */

/** `closed`: calls pass. `open`: none does. `half-open`: one is on its way to see, the others wait for it. */
export type CircuitState = 'closed' | 'open' | 'half-open';

export interface CircuitSettings {
  readonly failureThreshold: number;
  readonly windowMs: number;
  readonly halfOpenAfterMs: number;
  readonly now: () => number;
}

/** Names the period a call entered in; an outcome from an earlier period says nothing about this one. */
export type Pass = number;

/** The probe's outcome comes soon: those who ask meanwhile come back after this share of the wait. */
const PROBE_SHARE = 0.1;

export class Circuit {
  readonly #settings: CircuitSettings;
  readonly #onChange: (from: CircuitState, to: CircuitState) => void;
  #state: CircuitState = 'closed';
  #period: Pass = 0;
  #failures = 0;
  #lastFailureAt = -Infinity;
  #openedAt = -Infinity;

  constructor(settings: CircuitSettings, onChange: (from: CircuitState, to: CircuitState) => void) {
    this.#settings = settings;
    this.#onChange = onChange;
  }

  /** Milliseconds a caller has to stay away; 0 when it may pass. */
  waitMs(): number {
    const { halfOpenAfterMs, now } = this.#settings;
    switch (this.#state) {
      case 'closed':
        return 0;
      case 'open':
        return Math.max(0, this.#openedAt + halfOpenAfterMs - now());
      case 'half-open':
        return halfOpenAfterMs * PROBE_SHARE;
    }
  }

  enter(): Pass {
    if (this.#state === 'open') this.#become('half-open');
    return this.#period;
  }

  answered(pass: Pass): void {
    if (pass !== this.#period) return;
    this.#failures = 0;
    if (this.#state === 'half-open') this.#become('closed');
  }

  failed(pass: Pass): void {
    if (pass !== this.#period) return;
    const { failureThreshold, windowMs, now } = this.#settings;
    const nowMs = now();
    this.#failures = nowMs - this.#lastFailureAt > windowMs ? 1 : this.#failures + 1;
    this.#lastFailureAt = nowMs;
    if (this.#state === 'closed' && this.#failures < failureThreshold) return;
    this.#openedAt = nowMs;
    this.#become('open');
  }

  /** The call ended without a word about the provider: the next caller may probe at once. */
  undecided(pass: Pass): void {
    if (pass === this.#period && this.#state === 'half-open') this.#become('open');
  }

  #become(state: CircuitState): void {
    const from = this.#state;
    this.#state = state;
    this.#period += 1;
    if (state === 'closed') this.#failures = 0;
    this.#onChange(from, state);
  }
}
