/**
 * The account's own namespace, for an executor that names none. No request of the API tells it, and a list shows functions
 * of all namespaces: what one of them is called must not be taken for what is meant.
 */
import { FaasError } from '../../core/errors.js';
import { textsOf } from './marks.js';
import { PROVIDER } from './options.js';
import type { RemoteFunction } from './profile.js';

/** An annotation of what was made without naming a namespace: so where it stands is the account's own. */
const MARK = 'jobferry-namespace';
const OWN = 'own';

export class OwnNamespace {
  readonly #named: string | undefined;
  #learned: string | undefined;

  /** @param named by the options; then there is nothing to learn */
  constructor(named: string | undefined) {
    this.#named = named;
  }

  /** For a function that is made now, or that had it before. */
  mark(current?: RemoteFunction): Readonly<Record<string, string>> {
    const isOwn = current === undefined ? this.#named === undefined : hasMark(current);
    return isOwn ? { [MARK]: OWN } : {};
  }

  /** From a reply to a create that named none, or a refusal of one whose name is taken there. */
  learn(namespace: string | undefined): void {
    this.#learned ??= namespace;
  }

  /** Those that stand in it; all while nobody knows it. */
  within(functions: readonly RemoteFunction[]): RemoteFunction[] {
    const namespace = this.#knownFrom(functions);
    return functions.filter(
      (one) => namespace === undefined || one.namespace === undefined || one.namespace === namespace,
    );
  }

  /**
   * The one that has this name, if any.
   * @throws {FaasError} CONFIG when it stands in a namespace of which nobody knows whether it is the account's own
   */
  find(functions: readonly RemoteFunction[], functionName: string): RemoteFunction | undefined {
    const named = this.within(functions).filter(({ name }) => name === functionName);
    const isKnown = this.#knownFrom(functions) !== undefined;
    const elsewhere = named.filter(({ namespace }) => namespace !== undefined);
    if (isKnown || elsewhere.length === 0) return named[0];
    throw ambiguous(functionName, elsewhere);
  }

  #knownFrom(functions: readonly RemoteFunction[]): string | undefined {
    if (this.#named !== undefined) return this.#named;
    const marked = functions.filter(hasMark);
    const places = new Set(marked.map(({ namespace }) => namespace));
    // The account's own was another one once: neither is certain.
    if (this.#learned === undefined && places.size === 1) this.#learned = marked[0]?.namespace;
    return this.#learned;
  }
}

function hasMark({ fields }: RemoteFunction): boolean {
  return textsOf(fields?.['annotations'])[MARK] === OWN;
}

function ambiguous(functionName: string, found: readonly RemoteFunction[]): FaasError {
  const places = [...new Set(found.map(({ namespace }) => namespace))].sort().join(' and ');
  const message = `There is a ${functionName} in the namespace ${places}, and nothing tells whether that is the account's own. Give the executor its \`namespace\` (JOBFERRY_E2E_NAMESPACE).`;
  return new FaasError({ code: 'CONFIG', executed: 'no', provider: PROVIDER, functionName, message });
}
