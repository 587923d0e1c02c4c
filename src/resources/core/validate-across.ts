/** Rules between the entries of a file: nothing is declared twice, and outputs name what there is. Pure. */
import { type Fault, nearest, quoted } from './fault.js';
import { DEFAULT_PROVIDER } from './resolve.js';
import type { FunctionAttributes, SecretAttributes } from './state.js';

type Entries = Readonly<Record<string, unknown>>;
type Kind = 'functions' | 'secrets';

/** Text and numbers that the state knows of each: nothing else can be an output. */
const OUTPUTS = {
  function: [
    'id',
    'invoke_url',
    'name',
    'namespace',
    'job_id',
    'status',
    'version',
    'runtime',
    'template',
    'image',
    'handler_function',
    'requirements',
    'code_sha256',
    'remote_code_sha256',
    'created_at',
    'updated_at',
    'invocation_count',
  ],
  secret: ['id', 'name', 'namespace', 'created_at'],
} as const satisfies {
  readonly function: readonly (keyof FunctionAttributes)[];
  readonly secret: readonly (keyof SecretAttributes)[];
};

/** Two entries with one name would be one thing at the provider, and on an executor the job id is the function. */
export function doubleFaults(kind: Kind, entries: Entries, defaultProvider: unknown): Fault[] {
  const faults: Fault[] = [];
  const names = new Map<string, string>();
  const jobIds = new Map<string, string>();
  for (const [key, one] of Object.entries(entries)) {
    if (typeof one !== 'object' || one === null) continue;
    const { name, namespace, provider, job_id: jobId } = one as Entries;
    const where = provider ?? defaultProvider ?? DEFAULT_PROVIDER;
    const named = holder(names, [where, namespace ?? '', name ?? key], key);
    if (named !== key) {
      faults.push({
        path: [kind, key],
        message: `has the name of \`${kind}.${named}\``,
        fix: 'Give one of them another `name`.',
      });
    }
    if (kind === 'secrets' || jobId === undefined) continue;
    const numbered = holder(jobIds, [where, jobId], key);
    if (numbered !== key) {
      faults.push({
        path: [kind, key, 'job_id'],
        message: `is the job id of \`functions.${numbered}\` too`,
        fix: 'Give each function its own.',
      });
    }
  }
  return faults;
}

/** Who came first has it. */
function holder(taken: Map<string, string>, id: readonly unknown[], key: string): string {
  const text = JSON.stringify(id);
  const first = taken.get(text) ?? key;
  taken.set(text, first);
  return first;
}

export function outputFaults(name: string, value: unknown, functions: Entries, secrets: Entries): Fault[] {
  const path = ['outputs', name];
  const [, type, key = '', attribute = ''] =
    typeof value === 'string' ? (/^(function|secret)\.([^.]+)\.(\w+)$/.exec(value) ?? []) : [];
  const entries = type === 'function' ? functions : secrets;
  if (type === undefined || !Object.hasOwn(entries, key)) {
    const fix = 'Use function.KEY.ATTRIBUTE or secret.KEY.ATTRIBUTE.';
    return [{ path, message: `${quoted(value)} names nothing of this file`, fix }];
  }
  const known: readonly string[] = OUTPUTS[type as keyof typeof OUTPUTS];
  if (known.includes(attribute)) return [];
  const near = nearest(attribute, known);
  const fix = near === undefined ? `Use one of ${known.join(', ')}.` : `Did you mean \`${near}\`?`;
  return [{ path, message: `a ${type} has no \`${attribute}\` that could be an output`, fix }];
}
