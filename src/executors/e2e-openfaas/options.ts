/** The options of the executor: what all profiles share, and what each adds. */
import type { Dispatcher } from 'undici';
import type { FunctionConfig, ProviderLimits } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { StepProgress } from '../shared/deploy-journal.js';
import type { GatewayAuth, Secret } from './auth.js';
import type { FunctionIds } from './function-ids.js';
import type { Hardware } from './runtimes.js';

export const PROVIDER = 'e2e-openfaas';

/** Which API is spoken. */
export type ProfileName = 'openfaas' | 'e2e' | 'e2e-platform';

export type E2eOpenFaasExecutorOptions = OpenFaasOptions | E2eOptions | E2ePlatformOptions;

interface CommonOptions {
  /** Of the API. Each profile has its default. */
  readonly url?: string;
  /** Where functions live. Default: `openfaas-fn` of a gateway; what E2E gives the account. */
  readonly namespace?: string;
  /** The function a job is deployed as. Default `jobferry-job-{id}`. */
  readonly functionName?: (jobId: JobId) => string;
  /**
   * `entry` (default): functions hold the entry that packages get, and say what happened to a call. `raw`: any
   * function; it gets the bytes as they are and answers bytes, and only its status tells success from failure.
   */
  readonly payload?: 'entry' | 'raw';
  /** What raw bytes are sent as. Default `application/octet-stream`; JSON jobs want `application/json`. */
  readonly contentType?: string;
  /** What functions ask of their callers. Default: nothing, as CE and E2E do. */
  readonly callAuth?: GatewayAuth;
  /** Called at each step of a deploy. Must not throw. */
  readonly onProgress?: (progress: DeployProgress) => void;
  /** The most sockets for calls. Default 128. */
  readonly connections?: number;
  /** Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** How long a deploy may take in all. Default 600 000. */
  readonly deployTimeoutMs?: number;
  /** The first wait between two looks at a function; each is half as long again, up to fifty times it. Default 200. */
  readonly pollMs?: number;
  /** The longest reply of a function in bytes. Default 32 MiB. */
  readonly maxReplyBytes?: number;
  readonly limits?: Partial<ProviderLimits>;
  /** Used for all requests instead of sockets of our own; not closed with the executor. */
  readonly dispatcher?: Dispatcher;
}

/** A gateway's own API: images, names, Basic auth. */
export interface OpenFaasOptions extends CommonOptions {
  readonly profile?: 'openfaas';
  /** Default: OPENFAAS_URL, then `http://127.0.0.1:8080`. */
  readonly url?: string;
  readonly auth?: GatewayAuth;
  /** What functions are created with, where `deployJob` does not say it in `config.openfaas`. */
  readonly openfaas?: OpenFaasFunctionOptions;
}

/** E2E's account API, `myaccount/api/v1/faas`. */
export interface E2eOptions extends CommonOptions {
  readonly profile: 'e2e';
  /** Default `https://api.e2enetworks.com/myaccount/api/v1`. */
  readonly url?: string;
  /** Default: E2E_API_KEY. */
  readonly apiKey?: string;
  /** Default: E2E_AUTH_TOKEN. */
  readonly authToken?: Secret;
  /** Default: E2E_PROJECT_ID. */
  readonly projectId?: string;
  /** Default: E2E_LOCATION, then `Delhi`. */
  readonly location?: string;
  /** Needed: the API finds functions by their ids alone. */
  readonly namespace?: string;
  /** Where the ids of functions are kept. Default: in memory, lost with the process. */
  readonly ids?: FunctionIds;
  readonly e2e?: E2eFunctionOptions;
}

/** The API of E2E's design documents, `/faas/api/v1`; the platform of this project speaks it too. */
export interface E2ePlatformOptions extends CommonOptions {
  readonly profile: 'e2e-platform';
  /** Default: E2E_FAAS_URL, then `https://api.e2enetworks.com/faas/api/v1`. */
  readonly url?: string;
  /** Default: E2E_API_KEY. */
  readonly apiKey?: string;
  /** Default: E2E_AUTH_TOKEN. */
  readonly authToken?: Secret;
  readonly e2e?: E2eFunctionOptions;
}

/** What an image is built from. */
export interface ImageBuild {
  readonly jobId: JobId;
  readonly functionName: string;
  /** A zip: the build context that `packageHandler` and `packageExecutable` make for the target openfaas. */
  readonly zip: Uint8Array;
  readonly sha256: string;
  readonly signal: AbortSignal;
}

export interface OpenFaasFunctionOptions {
  /** The reference of an image that holds the artifact, or what builds it, pushes it and gives its reference. */
  readonly image?: string | ((build: ImageBuild) => Promise<string>);
  /** What the watchdog starts. Default: what the image says. */
  readonly envProcess?: string;
  /** Kubernetes quantities, for example `100m`. */
  readonly cpu?: string;
  readonly requests?: { readonly memoryMb?: number; readonly cpu?: string };
  /** Of `nvidia.com/gpu`. */
  readonly gpus?: number;
  /** 0 lets it sleep (OpenFaaS Pro). Default: `keepWarm`, else the gateway's 1. */
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
  readonly constraints?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly readOnlyRootFilesystem?: boolean;
  /** Secrets that stand as files in `/var/openfaas/secrets`, beside those of `config.secrets`. */
  readonly secretFiles?: readonly string[];
}

export interface E2eFunctionOptions {
  /** One of `RUNTIMES`. Default: by the handler file in the artifact, `handler.js` or `handler.py`. */
  readonly runtime?: string;
  /** Default: the first of the runtime. */
  readonly template?: string;
  /** Of the design documents. Default `handle`. */
  readonly handler?: string;
  /** The content of a file of dependencies. */
  readonly requirements?: string;
  /** For the runtime `custom`. */
  readonly image?: string;
  /** Default `cpu`. Cannot be changed later. */
  readonly hardware?: Hardware;
  /** Default: `keepWarm`, else 1. */
  readonly minReplicas?: number;
  /** Default 5; 1 on gpu. */
  readonly maxReplicas?: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A `FunctionConfig` with what only these clouds know. `secrets` are names of secrets that the provider keeps. */
export interface E2eOpenFaasFunctionConfig extends FunctionConfig {
  readonly openfaas?: OpenFaasFunctionOptions;
  readonly e2e?: E2eFunctionOptions;
}

export type DeployStep = 'read' | 'image' | 'create' | 'update' | 'scale' | 'wait' | 'done';
export type DeployProgress = StepProgress<DeployStep>;
