/** The runtimes of E2E's functions, as data: what each runs, which templates go with it, and when its language ends. */

export type Hardware = 'cpu' | 'gpu';

export interface Runtime {
  /** By E2E's design documents. */
  readonly name: string;
  /** For people: `csharp7.0` is .NET 7, not C# 7. */
  readonly title: string;
  /** The first is the default. */
  readonly templates: readonly string[];
  readonly hardware: readonly Hardware[];
  /** As the account's API writes it, before the template; undefined where that API has no such runtime. */
  readonly accountId?: string;
  /** The file that holds the handler; undefined where code is no single file. */
  readonly handlerFile?: string;
  readonly endOfLife?: {
    /** The last day of support, `YYYY-MM-DD`. */
    readonly date: string;
    /** Whose calendar says so. */
    readonly source: string;
  };
  readonly aliases?: readonly string[];
}

const CPU = ['cpu'] as const;
const BOTH = ['cpu', 'gpu'] as const;
const PYTHON = ['http', 'flask', 'fastapi'] as const;
const NODE_CALENDAR = 'https://nodejs.org/en/about/previous-releases';

export const RUNTIMES: readonly Runtime[] = [
  {
    name: 'python3.11',
    title: 'Python 3.11',
    templates: PYTHON,
    hardware: CPU,
    accountId: 'python-3.11',
    handlerFile: 'handler.py',
    endOfLife: { date: '2027-10-31', source: 'https://devguide.python.org/versions/' },
  },
  {
    name: 'node20',
    title: 'Node.js 20',
    templates: ['http', 'node'],
    hardware: CPU,
    accountId: 'node-20',
    handlerFile: 'handler.js',
    endOfLife: { date: '2026-04-30', source: NODE_CALENDAR },
  },
  {
    name: 'node18',
    title: 'Node.js 18',
    templates: ['http', 'node'],
    hardware: CPU,
    accountId: 'node-18',
    handlerFile: 'handler.js',
    endOfLife: { date: '2025-04-30', source: NODE_CALENDAR },
  },
  {
    name: 'csharp7.0',
    title: 'C# (.NET 7.0)',
    templates: ['http'],
    hardware: CPU,
    accountId: 'csharp-7.0',
    endOfLife: { date: '2024-05-14', source: 'https://dotnet.microsoft.com/platform/support/policy' },
    aliases: ['dotnet7.0'],
  },
  {
    name: 'php8.2',
    title: 'PHP 8.2',
    templates: ['http'],
    hardware: CPU,
    accountId: 'php-8.2',
    endOfLife: { date: '2026-12-31', source: 'https://www.php.net/supported-versions.php' },
  },
  {
    name: 'go1.21',
    title: 'Go 1.21',
    templates: ['http', 'go'],
    hardware: CPU,
    accountId: 'go-1.21',
    endOfLife: { date: '2024-08-13', source: 'https://go.dev/doc/devel/release' },
  },
  {
    name: 'pytorch2.1.2',
    title: 'PyTorch 2.1.2',
    templates: PYTHON,
    hardware: BOTH,
    accountId: 'pytorch-2.1.2',
    handlerFile: 'handler.py',
  },
  {
    name: 'tensorflow2.19.0',
    title: 'TensorFlow 2.19.0',
    templates: PYTHON,
    hardware: BOTH,
    accountId: 'tensorflow-2.19.0',
    handlerFile: 'handler.py',
  },
  { name: 'custom', title: 'your own container image', templates: ['http'], hardware: BOTH },
];

/** By its name or an alias. */
export function runtimeNamed(name: string): Runtime | undefined {
  return RUNTIMES.find((one) => one.name === name || one.aliases?.includes(name) === true);
}

/** `python-3.11-fastapi`, `node-18`: the account's API has one id for runtime and template, and none for `http`. */
export function accountRuntimeId({ accountId, templates }: Runtime, template: string): string | undefined {
  if (accountId === undefined) return undefined;
  return template === templates[0] ? accountId : `${accountId}-${template}`;
}
