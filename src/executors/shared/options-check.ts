/** Checks the options of an executor: what is wrong is said by the constructor, with the option's name. */
import { FaasError } from '../../core/errors.js';

export class OptionsCheck {
  readonly #owner: string;
  readonly #provider: string;

  /** @param owner the executor's class, named in every error */
  constructor(owner: string, provider: string) {
    this.#owner = owner;
    this.#provider = provider;
  }

  /** A CONFIG error; no value may be quoted that could be a secret. */
  readonly error = (text: string): FaasError =>
    new FaasError({
      code: 'CONFIG',
      executed: 'no',
      provider: this.#provider,
      message: `${this.#owner}: ${text}.`,
    });

  known(options: object, names: ReadonlySet<string>): void {
    for (const name of Object.keys(options)) {
      if (!names.has(name)) throw this.error(`has no option \`${name}\`. Known: ${[...names].join(', ')}`);
    }
  }

  /** The URL itself is never quoted: it may hold a password. */
  url(text: string, option: string): URL {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      throw this.error(`\`${option}\` must be http(s)://host[:port]`);
    }
    return url;
  }

  /** An integer of 1 or more. */
  whole(value: number, option: string): number {
    if (Number.isSafeInteger(value) && value >= 1) return value;
    throw this.error(`\`${option}\` must be an integer of 1 or more`);
  }
}
