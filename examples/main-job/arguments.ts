/** The command line of the main job. */
import { mkdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export interface Arguments {
  readonly folder: string;
  readonly out: string;
  readonly json: boolean;
  /** Calls at once on the platform. */
  readonly concurrency: number;
}

const USAGE = `Usage: npm start -- [DIR] [--out DIR] [--json] [--concurrency N]

For every file under DIR: a checksum, made in this process, and a compressed copy, made on a FaaS platform.

  DIR              default: node_modules/undici, a few hundred files that are there after the install
  --out DIR        the compressed copies, as <relative path>.br; default: out
  --json           print one JSON object as the last line
  --concurrency N  calls at once on the platform; default: the number of processors

Exit codes: 0 all is well, 1 something failed, 2 wrong usage, 130 interrupted.`;

const defaultFolder = fileURLToPath(new URL('../../node_modules/undici', import.meta.url));

/** Ends the process with exit code 2 when the arguments make no sense. */
export async function readArguments(args: readonly string[]): Promise<Arguments> {
  try {
    const { values, positionals } = parse(args);
    if (values.help === true) {
      console.log(USAGE);
      process.exit(0);
    }
    if (positionals.length > 1) throw new Error(`One folder is enough; got ${positionals.length}.`);
    const folder = resolve(startFolder(), positionals[0] ?? defaultFolder);
    if (!(await stat(folder)).isDirectory()) throw new Error(`${folder} is not a folder.`);
    const out = resolve(startFolder(), values.out);
    await mkdir(out, { recursive: true });
    return { folder, out, json: values.json, concurrency: readCount(values.concurrency) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      out: { type: 'string', default: 'out' },
      json: { type: 'boolean', default: false },
      concurrency: { type: 'string', default: String(availableParallelism()) },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

/** npm runs its scripts in the folder of the package, whatever folder the user is in. */
function startFolder(): string {
  const { npm_lifecycle_event, INIT_CWD } = process.env;
  return npm_lifecycle_event === 'start' && INIT_CWD ? INIT_CWD : process.cwd();
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1000) return count;
  throw new Error(`--concurrency is ${JSON.stringify(text)}; use an integer from 1 to 1000.`);
}
