/** The runtimes of E2E's functions, as data: templates that go with each, hardware, and when its language ends. */

export type Hardware = 'cpu' | 'gpu';

export interface RuntimeInfo {
  readonly name: string;
  /** For people: `csharp7.0` is .NET 7, not C# 7. */
  readonly title: string;
  readonly version: string;
  readonly templates: readonly string[];
  readonly hardware: readonly Hardware[];
  /** The last day of support, `YYYY-MM-DD`, by the calendar of the language's own project. */
  readonly endOfLife?: string;
  /** Other names that mean the same. */
  readonly aliases?: readonly string[];
}

const CPU = ['cpu'] as const;
const BOTH = ['cpu', 'gpu'] as const;
const PYTHON = ['http', 'flask', 'fastapi'] as const;

/** Of the executors: each runs a version of its own, which no file picks. */
export const ANY_NODE = 'node';

/** Ids by E2E's design documents, and `node`. A template belongs to a runtime; the first is its default. */
export const RUNTIMES: readonly RuntimeInfo[] = [
  {
    name: 'python3.11',
    title: 'Python 3.11',
    version: '3.11',
    templates: PYTHON,
    hardware: CPU,
    endOfLife: '2027-10-31',
  },
  {
    name: 'node20',
    title: 'Node.js 20',
    version: '20',
    templates: ['http', 'node'],
    hardware: CPU,
    endOfLife: '2026-04-30',
  },
  {
    name: 'node18',
    title: 'Node.js 18',
    version: '18',
    templates: ['http', 'node'],
    hardware: CPU,
    endOfLife: '2025-04-30',
  },
  {
    name: ANY_NODE,
    title: 'Node.js as the provider runs it',
    version: '',
    templates: ['http'],
    hardware: CPU,
  },
  {
    name: 'csharp7.0',
    title: 'C# (.NET 7.0)',
    version: '7.0',
    templates: ['http'],
    hardware: CPU,
    endOfLife: '2024-05-14',
    aliases: ['dotnet7.0'],
  },
  {
    name: 'php8.2',
    title: 'PHP 8.2',
    version: '8.2',
    templates: ['http'],
    hardware: CPU,
    endOfLife: '2026-12-31',
  },
  {
    name: 'go1.21',
    title: 'Go 1.21',
    version: '1.21',
    templates: ['http', 'go'],
    hardware: CPU,
    endOfLife: '2024-08-13',
  },
  { name: 'pytorch2.1.2', title: 'PyTorch 2.1.2', version: '2.1.2', templates: PYTHON, hardware: BOTH },
  {
    name: 'tensorflow2.19.0',
    title: 'TensorFlow 2.19.0',
    version: '2.19.0',
    templates: PYTHON,
    hardware: BOTH,
  },
  { name: 'custom', title: 'your own container image', version: '', templates: ['http'], hardware: BOTH },
];

/** By its name or an alias. */
export function runtimeNamed(name: string): RuntimeInfo | undefined {
  return RUNTIMES.find((one) => one.name === name || one.aliases?.includes(name) === true);
}

/** Of the same language, supported on that day, and at least as long as any other; undefined where none is listed. */
export function successorOf({ name, endOfLife = '' }: RuntimeInfo, today: Date): RuntimeInfo | undefined {
  const languageOf = (id: string) => /^[a-z]+/.exec(id)?.[0];
  return RUNTIMES.filter(
    (one) => languageOf(one.name) === languageOf(name) && (one.endOfLife ?? '') > endOfLife,
  )
    .filter((one) => new Date(one.endOfLife ?? '') >= today)
    .sort((a, b) => ((a.endOfLife ?? '') < (b.endOfLife ?? '') ? 1 : -1))[0];
}

/** @param hardware only those that run on it; default: all */
export function runtimesFor(
  hardware?: Hardware,
  runtimes: readonly RuntimeInfo[] = RUNTIMES,
): readonly RuntimeInfo[] {
  return runtimes.filter((one) => hardware === undefined || one.hardware.includes(hardware));
}
