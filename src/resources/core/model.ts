/** What a file declares, in words of E2E's design documents, and what it means once defaults are filled in. */
import type { Hardware } from './runtimes.js';

/** A function as a file declares it. Exactly one of the `code_…` fields, or `image` for the runtime `custom`. */
export interface FunctionDeclaration {
  /** Default: its key in `functions`. 3 to 63 of a-z, 0-9 and -. Another name is another function. */
  readonly name?: string;
  /** One of `RUNTIMES`. Another runtime is another function. */
  readonly runtime: string;
  /** One that goes with the runtime; default `http`. Another template is another function. */
  readonly template?: string;
  /** A folder, or one file. Paths count from the file that declares them. */
  readonly code_path?: string;
  /** A zip file. */
  readonly code_archive?: string;
  readonly code_inline?: string;
  /** Of the runtime `custom`: the container image. */
  readonly image?: string;
  /** Default `handle`. */
  readonly handler_function?: string;
  /** Content of the dependency file, such as requirements.txt. */
  readonly requirements?: string;
  readonly config?: FunctionConfigDeclaration;
  readonly environment?: Readonly<Record<string, string>>;
  /** Names of secrets; their order means nothing. */
  readonly secrets?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Default: the account's own. Another namespace is another function. */
  readonly namespace?: string;
  /** Where it runs; default: the file's `provider`. */
  readonly provider?: string;
  /** Its job id on providers that know functions by one; default: made from its name. */
  readonly job_id?: number;
}

export interface FunctionConfigDeclaration {
  /** 64 to 8192; default 128. */
  readonly memory_mb?: number;
  /** 1 to 900; default 30. */
  readonly timeout_seconds?: number;
  /** 1 to 5, and 1 on gpu; default 1. Not used where a scale is given. */
  readonly replicas?: number;
  /** Default `cpu`. Other hardware is another function. */
  readonly hardware_type?: Hardware;
  /** 0 to 100. */
  readonly min_scale?: number;
  /** 1 to 100. */
  readonly max_scale?: number;
}

/** The value of a secret is never in the file by itself: it comes from the environment or from a file. */
export interface SecretDeclaration {
  /** Default: its key in `secrets`. Letters, digits and hyphens. */
  readonly name?: string;
  /** The environment variable that holds the value. */
  readonly value_env?: string;
  /** A file whose content is the value, without a last line end. */
  readonly value_file?: string;
  readonly namespace?: string;
  readonly provider?: string;
}

/** The default export of `jobferry.functions.ts`, or the content of `.json` and `.yaml`. */
export interface Declarations {
  /** For functions and secrets that name none. */
  readonly provider?: string;
  readonly functions?: Readonly<Record<string, FunctionDeclaration>>;
  readonly secrets?: Readonly<Record<string, SecretDeclaration>>;
  /** Name -> `function.KEY.ATTRIBUTE` or `secret.KEY.ATTRIBUTE`. */
  readonly outputs?: Readonly<Record<string, string>>;
}

/** For TypeScript files: `export default declare({ … })` checks the fields while they are typed. */
export function declare(declarations: Declarations): Declarations {
  return declarations;
}

/** `function.KEY` or `secret.KEY`. */
export type Address = `function.${string}` | `secret.${string}`;

/** A function with every default filled in: what planning compares and providers deploy. */
export interface DesiredFunction {
  readonly type: 'function';
  readonly address: Address;
  readonly provider: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly runtime: string;
  readonly template: string;
  readonly image: string | undefined;
  readonly handler_function: string;
  readonly requirements: string | undefined;
  /** Of the content of the code; undefined for an image. */
  readonly code_sha256: string | undefined;
  readonly config: DesiredConfig;
  readonly environment: Readonly<Record<string, string>>;
  /** Sorted, each once. */
  readonly secrets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly job_id: number | undefined;
}

export interface DesiredConfig {
  readonly memory_mb: number;
  readonly timeout_seconds: number;
  /** Undefined where a scale is given. */
  readonly replicas: number | undefined;
  readonly hardware_type: Hardware;
  readonly min_scale: number | undefined;
  readonly max_scale: number | undefined;
}

export interface DesiredSecret {
  readonly type: 'secret';
  readonly address: Address;
  readonly provider: string;
  readonly name: string;
  readonly namespace: string | undefined;
  /** A keyed hash of the value: tells that it changed, and nothing else. */
  readonly value_hash: string;
}

export type Desired = DesiredFunction | DesiredSecret;
