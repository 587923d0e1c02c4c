/** What the CLI knows of a cloud: how to open it from the environment, and how to see whether that would work. */
import type { FaasExecutor, FunctionConfig } from '../index.js';

export interface Check {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly message: string;
}

export type Env = Readonly<Record<string, string | undefined>>;

export interface CliProvider {
  /** As users write it after `--to`, for example `aws-lambda`. */
  readonly name: string;
  /** The target of `packageHandler`; undefined for packages of the custom-FaaS spec. */
  readonly target: string | undefined;
  /** The variables it reads, with what each is for: shown by --help. */
  readonly variables: Readonly<Record<string, string>>;
  /**
   * Does no I/O but for loading code.
   * @param onStep hears of each step of a deploy, in a few words
   * @throws {FaasError} CONFIG that names the variable which is missing
   */
  open(env: Env, onStep?: (step: string) => void): Promise<FaasExecutor>;
  /** What the environment says about a function and its `FunctionConfig` cannot: a role, a project. */
  configFrom?(env: Env): Partial<FunctionConfig>;
  /** Are its packages there, is there a credential? Never calls a function. */
  doctor(env: Env): Promise<Check[]>;
}

/** Is an optional package there, and does it load? */
export async function checkPackage(name: string, load: () => Promise<unknown>, use: string): Promise<Check> {
  try {
    await load();
    return { name, status: 'ok', message: `works (for ${use})` };
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split('\n', 1)[0];
    return {
      name,
      status: 'fail',
      message: `does not load, and is needed for ${use}: ${reason}. Run: npm install ${name}`,
    };
  }
}
