/**
 * The Cloud Functions API, as little of it as is needed. The rest of the room knows this interface, not the client
 * behind it, which is loaded when the first request is made.
 */
import type { protos, v2 } from '@google-cloud/functions';
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { untilItWorks } from '../shared/control-retry.js';
import { untilCancelled } from '../shared/http.js';
import { importPeer } from '../shared/peers.js';
import { statusError, statusName } from './errors.js';
import { config, PROVIDER, type Settings } from './options.js';
import type { Tokens } from './tokens.js';

export type CloudFunction = protos.google.cloud.functions.v2.IFunction;
export type StorageSource = protos.google.cloud.functions.v2.IStorageSource;

export interface Stage {
  readonly name: string;
  readonly state: string;
  readonly message: string;
  /** Where the log of a build is. */
  readonly resourceUri: string;
}

/** A long-running operation, as it stands. */
export interface Operation {
  readonly name: string;
  readonly isDone: boolean;
  readonly error: { readonly code: number; readonly message: string } | undefined;
  readonly stages: readonly Stage[];
}

export interface UploadTarget {
  readonly url: string;
  readonly source: StorageSource;
}

const REQUEST_TIMEOUT_MS = 60_000;
const PAGE_SIZE = 100;
/** Never longer than what is waited between two looks at an operation. */
const MIN_RETRY_DELAY_MS = 200;

type Sdk = typeof import('@google-cloud/functions');
/** As google-gax takes them; its own type is not exported by the client. */
interface CallOptions {
  readonly timeout: number;
  readonly retry: null;
  readonly signal: AbortSignal;
}

export class ControlPlane {
  readonly #settings: Settings;
  readonly #tokens: Tokens;
  #client: v2.FunctionServiceClient | undefined;
  #isClosed = false;

  constructor(settings: Settings, tokens: Tokens) {
    this.#settings = settings;
    this.#tokens = tokens;
  }

  get parent(): string {
    return `projects/${this.#settings.project}/locations/${this.#settings.region}`;
  }

  /** Undefined for Google's own NOT_FOUND, and for nothing else. */
  async get(functionName: string, scope: CallScope): Promise<CloudFunction | undefined> {
    try {
      const name = `${this.parent}/functions/${functionName}`;
      return await this.#repeat(functionName, scope, async (client, options) => {
        const [found] = await client.getFunction({ name }, options);
        return found;
      });
    } catch (failure) {
      if (FaasError.is(failure) && failure.code === 'NOT_FOUND') return undefined;
      throw failure;
    }
  }

  /** One page after the other. */
  async *list(scope: CallScope): AsyncGenerator<CloudFunction> {
    for (let pageToken = ''; ; ) {
      const request = { parent: this.parent, pageSize: PAGE_SIZE, pageToken };
      const [page, , reply] = await this.#repeat('the list of functions', scope, (client, options) =>
        client.listFunctions(request, { ...options, autoPaginate: false }),
      );
      yield* page;
      pageToken = reply?.nextPageToken ?? '';
      if (pageToken === '') return;
    }
  }

  uploadTarget(functionName: string, scope: CallScope): Promise<UploadTarget> {
    return this.#repeat(functionName, scope, async (client, options) => {
      const [reply] = await client.generateUploadUrl(
        { parent: this.parent, environment: 'GEN_2' as const },
        options,
      );
      const { uploadUrl, storageSource } = reply;
      if (!uploadUrl || !storageSource) {
        throw statusError('OK', 'no upload URL', this.#place(functionName));
      }
      return { url: uploadUrl, source: storageSource };
    });
  }

  /** Not repeated: a create whose answer is lost may have happened, and is looked for by its name. */
  create(functionName: string, fn: CloudFunction, scope: CallScope): Promise<string> {
    const request = { parent: this.parent, functionId: functionName, function: fn };
    return this.#once(functionName, scope, async (client, options) => {
      const [operation] = await client.createFunction(request, options);
      return operation.name ?? '';
    });
  }

  /** @param paths what is replaced; the rest stays */
  update(functionName: string, fn: CloudFunction, paths: string[], scope: CallScope): Promise<string> {
    const request = {
      function: { ...fn, name: `${this.parent}/functions/${functionName}` },
      updateMask: { paths },
    };
    return this.#once(functionName, scope, async (client, options) => {
      const [operation] = await client.updateFunction(request, options);
      return operation.name ?? '';
    });
  }

  remove(functionName: string, scope: CallScope): Promise<string> {
    return this.#repeat(functionName, scope, async (client, options) => {
      const name = `${this.parent}/functions/${functionName}`;
      const [operation] = await client.deleteFunction({ name }, options);
      return operation.name ?? '';
    });
  }

  operation(name: string, functionName: string, scope: CallScope): Promise<Operation> {
    return this.#repeat(functionName, scope, async (client, options, sdk) => {
      const [reply] = await client.operationsClient.getOperation({ name } as never, options);
      const { OperationMetadata } = sdk.protos.google.cloud.functions.v2;
      const value = reply.metadata?.value;
      const metadata =
        value instanceof Uint8Array
          ? OperationMetadata.toObject(OperationMetadata.decode(value), { enums: String })
          : {};
      const stages = (metadata['stages'] ?? []) as Record<string, unknown>[];
      const { error } = reply;
      return {
        name,
        isDone: reply.done === true,
        error: error ? { code: error.code ?? 2, message: error.message ?? '' } : undefined,
        stages: stages.map((stage) => ({
          name: String(stage['name'] ?? 'UNKNOWN'),
          state: String(stage['state'] ?? 'UNKNOWN'),
          message: String(stage['message'] ?? ''),
          resourceUri: String(stage['resourceUri'] ?? ''),
        })),
      };
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // An open channel keeps the process alive.
    await this.#client?.close();
  }

  #repeat<Output>(functionName: string, scope: CallScope, work: Work<Output>): Promise<Output> {
    const minDelayMs = Math.min(this.#settings.pollMs, MIN_RETRY_DELAY_MS);
    return untilItWorks(scope, () => this.#once(functionName, scope, work), minDelayMs);
  }

  async #once<Output>(functionName: string, scope: CallScope, work: Work<Output>): Promise<Output> {
    if (this.#isClosed) throw config('is closed. Make a new one');
    const sdk = await importPeer(
      'CloudFunctionExecutor',
      '@google-cloud/functions',
      () => import('@google-cloud/functions'),
    );
    if (scope.reason !== undefined) throw scope.reason.with({ executed: 'no' });
    const place = this.#place(functionName);
    const client = await untilCancelled(this.#open(sdk), place, scope);
    // Repeating is decided here, by what the error means.
    const options = { timeout: REQUEST_TIMEOUT_MS, retry: null, signal: scope.signal } as never;
    for (let isRenewed = false; ; isRenewed = true) {
      try {
        // The client waits for its credentials without a limit, and for nobody's signal.
        return await untilCancelled(work(client, options, sdk), place, scope);
      } catch (thrown) {
        if (isRenewed || statusName((thrown as { code?: unknown }).code) !== 'UNAUTHENTICATED')
          throw this.#explain(thrown, functionName, scope);
        await untilCancelled(this.#tokens.forgetAccess(), place, scope);
      }
    }
  }

  async #open(sdk: Sdk): Promise<v2.FunctionServiceClient> {
    const { client, endpoint, project } = this.#settings;
    if (client !== undefined) return client;
    const auth = await this.#tokens.auth();
    this.#client ??= new sdk.v2.FunctionServiceClient({
      projectId: project,
      auth,
      ...(endpoint !== undefined && { apiEndpoint: endpoint.hostname, port: Number(endpoint.port || 443) }),
    });
    return this.#client;
  }

  #explain(thrown: unknown, functionName: string, scope: CallScope): FaasError {
    if (FaasError.is(thrown)) return thrown;
    if (scope.reason !== undefined) {
      return scope.reason.with({ executed: 'no', provider: PROVIDER, functionName });
    }
    const { code, details, message } = thrown as { code?: unknown; details?: string; message?: string };
    const said = details ?? message?.replace(/^\d+ [A-Z_]+: /, '') ?? '';
    return statusError(statusName(code), said, this.#place(functionName), {
      retryAfterMs: retryInfoMs(thrown),
      // The client's own error holds the request with its metadata.
      cause: { code, details },
    });
  }

  #place(functionName: string) {
    const origin = this.#settings.endpoint?.origin ?? 'https://cloudfunctions.googleapis.com';
    return { provider: PROVIDER, functionName, origin };
  }
}

type Work<Output> = (client: v2.FunctionServiceClient, options: CallOptions, sdk: Sdk) => Promise<Output>;

/** `google.rpc.RetryInfo` among the details of an error. */
function retryInfoMs(thrown: unknown): number | undefined {
  const { statusDetails } = thrown as { statusDetails?: unknown };
  for (const detail of Array.isArray(statusDetails) ? statusDetails : []) {
    const delay = (detail as { retryDelay?: { seconds?: unknown; nanos?: unknown } }).retryDelay;
    if (delay !== undefined && delay !== null)
      return Number(delay.seconds ?? 0) * 1000 + Number(delay.nanos ?? 0) / 1e6;
  }
  return undefined;
}
