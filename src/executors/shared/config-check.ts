/** What a `FunctionConfig` may ask for: honoured or refused by name, before anything is created. */
import { FaasError, type FaasErrorCode } from '../../core/errors.js';
import type { Artifact, NumberRange } from '../../core/executor.js';

export class ConfigCheck {
  readonly #provider: string;
  readonly #functionName: string;

  constructor(provider: string, functionName: string) {
    this.#provider = provider;
    this.#functionName = functionName;
  }

  refuse(code: FaasErrorCode, why: string): never {
    const [provider, functionName] = [this.#provider, this.#functionName];
    const message = `${functionName} was not deployed: ${why}.`;
    throw new FaasError({ code, executed: 'no', provider, functionName, message });
  }

  /** @param cloud as people call it, for the text */
  known(config: object, fields: ReadonlySet<string>, cloud: string): void {
    for (const [field, value] of Object.entries(config)) {
      if (fields.has(field) || asksForNothing(value)) continue;
      this.refuse('UNSUPPORTED', `${cloud} has no \`${field}\` for a function. Leave it out`);
    }
  }

  inRange(field: string, value: number, range: NumberRange | undefined): void {
    if (range === undefined) return;
    const { min, max, step = 1 } = range;
    if (Number.isInteger(value) && value >= min && value <= max && (value - min) % step === 0) return;
    const steps = step === 1 ? '' : ` in steps of ${step}`;
    this.refuse('CONFIG', `\`${field}\` is ${String(value)}: use an integer from ${min} to ${max}${steps}`);
  }

  oneOf(field: string, value: string | number, known: readonly (string | number)[]): void {
    if (known.includes(value)) return;
    this.refuse('CONFIG', `\`${field}\` is ${JSON.stringify(value)}: use one of ${known.join(', ')}`);
  }

  /** @param isTaken names that the provider or our entry use themselves */
  environment(
    field: 'env' | 'secrets',
    variables: Readonly<Record<string, string>>,
    isTaken: (name: string) => boolean,
  ): void {
    for (const [name, value] of Object.entries(variables)) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || isTaken(name)) {
        const shown = JSON.stringify(name.slice(0, 80));
        this.refuse('CONFIG', `\`${field}\` has a name that is taken or none: ${shown}`);
      }
      if (typeof value !== 'string') this.refuse('CONFIG', `\`${field}.${name}\` must be a string`);
    }
  }

  size(artifact: Artifact, maxBytes = Infinity): void {
    const { length } = artifact.bytes;
    if (length <= maxBytes) return;
    this.refuse('PAYLOAD_TOO_LARGE', `the package has ${length} bytes, the limit is ${maxBytes}`);
  }
}

/** Asking for nothing can always be honoured. */
function asksForNothing(value: unknown): boolean {
  if (value === undefined || value === 0) return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** By name, so that two spellings of the same configuration are equal. */
export function sorted(map: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
}
