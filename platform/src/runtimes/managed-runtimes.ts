/** The runtimes of E2E's functions, and which of them this machine can run. */

import type { Interpreters, Language } from './interpreters.js';

interface ManagedRuntime {
  readonly name: string;
  readonly version: string;
  readonly templates: readonly string[];
  readonly hardware: readonly string[];
  /** Absent where this platform has no host for the language. */
  readonly language?: Language;
}

const PYTHON_TEMPLATES = ['http', 'flask', 'fastapi'];

export const MANAGED_RUNTIMES: readonly ManagedRuntime[] = [
  runtime('python3.11', '3.11', PYTHON_TEMPLATES, 'python'),
  runtime('node20', '20', ['http', 'node'], 'node'),
  runtime('node18', '18', ['http', 'node'], 'node'),
  runtime('csharp7.0', '7.0', ['http']),
  runtime('php8.2', '8.2', ['http']),
  runtime('go1.21', '1.21', ['http', 'go']),
  { ...runtime('pytorch2.1.2', '2.1.2', PYTHON_TEMPLATES), hardware: ['cpu', 'gpu'] },
  { ...runtime('tensorflow2.19.0', '2.19.0', PYTHON_TEMPLATES), hardware: ['cpu', 'gpu'] },
  { ...runtime('custom', '', ['http']), hardware: ['cpu', 'gpu'] },
];

export interface RuntimeOffer extends ManagedRuntime {
  readonly available: boolean;
  /** What a function of it would run on here. */
  readonly interpreter?: string;
  /** Why it is not available. */
  readonly reason?: string;
}

/** A newer interpreter of the same language will do, and is named; an older one will not. */
export async function offersOf(interpreters: Interpreters): Promise<RuntimeOffer[]> {
  return Promise.all(MANAGED_RUNTIMES.map((one) => offerOf(one, interpreters)));
}

async function offerOf(runtime: ManagedRuntime, interpreters: Interpreters): Promise<RuntimeOffer> {
  const { name, language, version } = runtime;
  const refuse = (reason: string): RuntimeOffer => ({ ...runtime, available: false, reason });
  if (name === 'custom') return refuse('it needs a container engine, and this platform drives none');
  if (language === undefined) return refuse(`this platform has no host for ${name}`);
  const found = await interpreters.of(language);
  if (typeof found === 'string') return refuse(found);
  const interpreter = `${found.title} ${found.version}`;
  if (isOlder(found.version, version)) return { ...refuse(`this machine has ${interpreter}`), interpreter };
  return { ...runtime, available: true, interpreter };
}

function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}

function runtime(
  name: string,
  version: string,
  templates: readonly string[],
  language?: Language,
): ManagedRuntime {
  return { name, version, templates, hardware: ['cpu'], ...(language !== undefined && { language }) };
}
