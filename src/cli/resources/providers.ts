/** Opens the providers that a file and its state name: E2E's API, or any executor of the CLI behind the same port. */
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Artifact } from '../../index.js';
import { packageHandler } from '../../packaging/index.js';
import {
  type Code,
  type CodeFile,
  type DesiredFunction,
  type Endpoint,
  e2ePlatformProvider,
  lifecycleProvider,
  type ResourceProvider,
} from '../../resources/index.js';
import { usageError } from '../exit-codes.js';
import { DEFAULT_URL } from '../platform-check.js';
import type { CliProvider, Env } from '../provider.js';
import { PROVIDERS } from '../providers/index.js';
import { bundleInputs } from './bundle-inputs.js';

const E2E_PLATFORM = 'e2e-platform';
/** As files name them. */
export const PROVIDER_NAMES: readonly string[] = [...PROVIDERS.map(({ name }) => name), E2E_PLATFORM];
/** Where a folder's handler is looked for. */
const ENTRIES = ['index.ts', 'index.js', 'index.mjs', 'handler.ts', 'handler.js', 'handler.mjs'];
const HANDLER = /\.[cm]?[jt]sx?$/;

export class OpenProviders {
  readonly #byName = new Map<string, ResourceProvider>();
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  /**
   * Those that are not open yet.
   * @throws {FaasError} CONFIG for a name nobody knows, or a variable that is missing
   */
  async open(names: Iterable<string>): Promise<void> {
    for (const name of new Set(names)) {
      if (!this.#byName.has(name)) this.#byName.set(name, await openProvider(name, this.#env));
    }
  }

  readonly get = (name: string): ResourceProvider => {
    const provider = this.#byName.get(name);
    if (provider === undefined) throw unknown(name);
    return provider;
  };

  /** Of those that are open and can be at several. */
  endpoints(): Map<string, Endpoint> {
    return new Map(
      [...this.#byName].flatMap(([name, { endpoint }]) =>
        endpoint === undefined ? [] : [[name, endpoint] as const],
      ),
    );
  }

  async close(): Promise<void> {
    for (const provider of this.#byName.values()) await provider.close?.();
  }
}

async function openProvider(name: string, env: Env): Promise<ResourceProvider> {
  if (name === E2E_PLATFORM) return openE2e(env);
  const provider = PROVIDERS.find((one) => one.name === name);
  if (provider === undefined) throw unknown(name);
  const executor = await provider.open(env);
  return lifecycleProvider({
    name,
    executor,
    ...endpointOf(name, env),
    pack: packFor(provider),
    config: provider.configFrom?.(env) ?? {},
    // The custom-FaaS spec has no word for them.
    labels: name !== 'custom-http',
  });
}

/** Clouds are told apart by accounts and regions; of these two there can be any number. */
function endpointOf(name: string, { JOBFERRY_URL, E2E_FAAS_URL }: Env): { endpoint?: Endpoint } {
  // A state holds no credentials, and a URL may.
  const plain = (url: string) =>
    URL.canParse(url) ? `${new URL(url).origin}${new URL(url).pathname}`.replace(/\/+$/, '') : url;
  if (name === 'custom-http') {
    return { endpoint: { url: plain(JOBFERRY_URL || DEFAULT_URL), variable: 'JOBFERRY_URL' } };
  }
  if (name !== 'e2e' || !E2E_FAAS_URL) return {};
  return { endpoint: { url: plain(E2E_FAAS_URL), variable: 'E2E_FAAS_URL' } };
}

function openE2e({
  SERVICE_API_ENDPOINT: endpoint,
  SERVICE_AUTH_TOKEN: authToken,
  SERVICE_API_KEY: apiKey,
}: Env) {
  if (!endpoint)
    throw usageError(`${E2E_PLATFORM} needs SERVICE_API_ENDPOINT: the URL that ends in /faas/api/v1.`);
  return e2ePlatformProvider({ endpoint, ...(authToken && { authToken }), ...(apiKey && { apiKey }) });
}

function unknown(name: string): Error {
  return usageError(`There is no provider ${JSON.stringify(name)}. Use one of ${PROVIDER_NAMES.join(', ')}.`);
}

/** A handler in one file, in a folder, or as text in the declarations. */
function packFor({ target }: CliProvider) {
  const options = target === undefined ? {} : { target };
  return async ({ address }: DesiredFunction, code: Code): Promise<Artifact> => {
    if (code.path?.endsWith('.zip')) return { format: 'zip', bytes: await code.zip(), sha256: code.sha256 };
    if (code.path !== undefined)
      return packageHandler({ entry: await entryOf(code.path, address), ...options });
    const folder = await mkdtemp(join(tmpdir(), 'jobferry-inline-'));
    try {
      await writeFile(join(folder, 'handler.ts'), code.inline ?? '');
      return await packageHandler({ entry: join(folder, 'handler.ts'), ...options });
    } finally {
      await rm(folder, { recursive: true });
    }
  };
}

/** Executors bundle a handler with what it imports; E2E's API takes the files as they are. */
export async function inputsOf(path: string, provider: string): Promise<readonly CodeFile[] | undefined> {
  if (provider === E2E_PLATFORM) return undefined;
  const entry = await findEntry(path);
  return entry !== undefined && HANDLER.test(entry) ? bundleInputs(entry) : undefined;
}

async function findEntry(path: string): Promise<string | undefined> {
  if ((await stat(path)).isFile()) return path;
  const names = await readdir(path);
  const entry = ENTRIES.find((name) => names.includes(name));
  return entry && join(path, entry);
}

async function entryOf(path: string, address: string): Promise<string> {
  const entry = await findEntry(path);
  if (entry !== undefined) return entry;
  throw usageError(`The folder ${path} of ${address} holds none of ${ENTRIES.join(', ')}.`);
}
