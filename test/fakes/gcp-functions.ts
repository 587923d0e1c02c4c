/**
 * fakeGcp: Google's control plane as a gRPC server made from the protos that @google-cloud/functions ships, over TLS,
 * so that Google's own client speaks to it with its own credentials. No emulator of it exists. The HTTP side (uploads,
 * functions, metadata server, Cloud Run's policies, logs) is in gcp-http.ts.
 */
import './grpc-authorities.js';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { protos } from '@google-cloud/functions';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import type { AnyJob } from '../../src/core/define-job.js';
import { FakeGcpHttp } from './gcp-http.js';
import { cert, key } from './loopback-tls.js';

export type Json = Record<string, unknown>;

export interface FakeFault {
  readonly operation: string;
  /** A refusal by google.rpc.Code; `after`: what was asked for is done, and the answer is lost. */
  readonly code?: number;
  readonly message?: string;
  readonly after?: boolean;
  /** For operations of the HTTP side. */
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly reset?: 'before' | 'after';
  readonly hang?: boolean;
  readonly run?: () => void;
}

export interface ObservedRpc {
  readonly method: string;
  readonly request: Json;
  /** Undefined for a refusal. */
  readonly reply: Json | undefined;
}

export interface FakeOptions {
  readonly jobs?: readonly AnyJob[];
  /** How often an operation is asked for before it is done. Default 2. */
  readonly polls?: number;
  readonly observe?: (exchange: ObservedRpc) => void;
}

export const PROJECT = 'test-project';
export const REGION = 'europe-west1';
const PARENT = `projects/${PROJECT}/locations/${REGION}`;

interface FakeOperation {
  polls: number;
  isDone: boolean;
  readonly error: { code: number; message: string } | undefined;
  readonly name: string;
  readonly target: string;
  readonly end: (error: unknown) => void;
}

type Handler = (request: Json) => Json;

export class FakeGcp {
  /** https://localhost:port of the gRPC server. */
  endpoint = '';
  readonly functions = new Map<string, Json>();
  readonly operations: string[] = [];
  readonly faults: FakeFault[] = [];
  readonly http: FakeGcpHttp;
  /** What the next operation ends with in place of success. */
  operationError: { code: number; message: string } | undefined;
  /** The state the next operation leaves its function in. Default ACTIVE. */
  endState: string | undefined;
  readonly #running = new Map<string, FakeOperation>();
  readonly #options: FakeOptions;
  readonly #server = new grpc.Server();

  constructor(options: FakeOptions) {
    this.#options = options;
    this.http = new FakeGcpHttp(this, options.jobs ?? []);
  }

  async open(): Promise<this> {
    await this.http.open();
    const api = loadProtos();
    this.#server.addService(api.functions, this.#handlers(this.#functionMethods(), true));
    this.#server.addService(api.operations, this.#handlers({ GetOperation: (r) => this.#getOperation(r) }));
    const credentials = grpc.ServerCredentials.createSsl(null, [
      { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) },
    ]);
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    this.endpoint = `https://localhost:${port}`;
    return this;
  }

  /** The next requests of an operation meet the fault. */
  fault(operation: string, fault: Omit<FakeFault, 'operation'>, times = 1): void {
    for (let n = 0; n < times; n += 1) this.faults.push({ operation, ...fault });
  }

  takeFault(operation: string): FakeFault | undefined {
    this.operations.push(operation);
    const index = this.faults.findIndex((one) => one.operation === operation);
    const fault = index < 0 ? undefined : this.faults.splice(index, 1)[0];
    fault?.run?.();
    return fault;
  }

  writes(): string[] {
    return this.operations.filter((one) =>
      /^(Create|Update|Delete|GenerateUpload|PUT|POST policy)/.test(one),
    );
  }

  functionNamed(name: string): Json | undefined {
    return this.functions.get(`${PARENT}/functions/${name}`);
  }

  async close(): Promise<void> {
    this.#server.forceShutdown();
    await this.http.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #handlers(methods: Record<string, Handler>, withCase = false): grpc.UntypedServiceImplementation {
    const made: grpc.UntypedServiceImplementation = {};
    for (const [method, answer] of Object.entries(methods)) {
      made[method] = (
        call: grpc.ServerUnaryCall<Json, Json>,
        callback: (error: object | null, reply?: Json) => void,
      ) => {
        const fault = this.takeFault(method);
        if (fault?.hang) return;
        const refuse = (code: number, details: string) => {
          if (withCase) this.#options.observe?.({ method, request: call.request, reply: undefined });
          callback({ code, details });
        };
        // What the real thing checks first.
        if (call.metadata.get('authorization')[0] !== `Bearer ${this.http.accessToken}`)
          return refuse(16, 'Request had invalid authentication credentials.');
        if (fault?.code !== undefined && !fault.after) return refuse(fault.code, fault.message ?? 'scripted');
        try {
          const reply = answer(call.request);
          if (fault?.after) return refuse(fault.code ?? 14, fault.message ?? 'the answer was lost');
          if (withCase) this.#options.observe?.({ method, request: call.request, reply });
          callback(null, reply);
        } catch (thrown) {
          if (!(thrown instanceof Refusal)) throw thrown;
          refuse(thrown.code, thrown.message);
        }
      };
    }
    return made;
  }

  #functionMethods(): Record<string, Handler> {
    return {
      GetFunction: ({ name }) => {
        // Work goes on whoever looks.
        for (const one of this.#running.values()) if (one.target === name) this.#advance(one);
        return this.#need(String(name));
      },
      ListFunctions: ({ pageSize, pageToken }) => {
        const all = [...this.functions.values()];
        const from = Number(pageToken || 0);
        const to = from + Number(pageSize || 100);
        return { functions: all.slice(from, to), ...(to < all.length && { nextPageToken: String(to) }) };
      },
      GenerateUploadUrl: () => {
        const object = randomUUID();
        const storageSource = { bucket: 'gcf-v2-uploads', object, generation: '0' };
        return {
          uploadUrl: `${this.http.url}/upload/${object}?X-Goog-Signature=fake-signature`,
          storageSource,
        };
      },
      CreateFunction: ({ functionId, function: given }) => {
        const name = `${PARENT}/functions/${String(functionId)}`;
        if (this.functions.has(name)) throw new Refusal(6, `Resource '${name}' already exists`);
        this.#checkSource(given as Json);
        this.functions.set(name, { ...(given as Json), name, state: 'DEPLOYING' });
        return this.#begin(name, (error) => this.#deployed(name, error !== undefined));
      },
      UpdateFunction: ({ function: given, updateMask }) => {
        const name = String((given as Json)['name']);
        const current = this.#need(name);
        if (current['state'] === 'DEPLOYING')
          throw new Refusal(10, 'unable to queue the operation, another operation is in progress');
        const paths = ((updateMask as Json)['paths'] ?? []) as string[];
        const changed: Json = {};
        for (const path of paths) changed[camel(path)] = (given as Json)[camel(path)];
        if (paths.includes('build_config')) this.#checkSource(given as Json);
        const kept = current['serviceConfig'] as Json;
        const service = { ...(changed['serviceConfig'] as Json | undefined) };
        if (paths.includes('service_config'))
          changed['serviceConfig'] = { ...service, uri: kept?.['uri'], service: kept?.['service'] };
        this.functions.set(name, { ...current, ...changed, state: 'DEPLOYING' });
        return this.#begin(name, (error) => this.#deployed(name, error !== undefined));
      },
      DeleteFunction: ({ name }) => {
        const current = this.#need(String(name));
        if (current['state'] === 'DEPLOYING')
          throw new Refusal(10, 'unable to queue the operation, another operation is in progress');
        this.functions.set(String(name), { ...current, state: 'DELETING' });
        return this.#begin(String(name), () => this.functions.delete(String(name)));
      },
    };
  }

  /** The source must be what was uploaded. */
  #checkSource(given: Json): void {
    const source = ((given['buildConfig'] as Json | undefined)?.['source'] as Json | undefined)?.[
      'storageSource'
    ] as Json | undefined;
    if (!this.http.uploads.has(String(source?.['object'])))
      throw new Refusal(3, 'The source was not found in the bucket.');
  }

  #need(name: string): Json {
    const found = this.functions.get(name);
    if (found !== undefined) return found;
    throw new Refusal(5, `Resource '${name}' was not found`);
  }

  #begin(target: string, end: (error: unknown) => void): Json {
    const name = `${PARENT}/operations/operation-${randomUUID()}`;
    const error = this.operationError;
    this.operationError = undefined;
    const isDone = false;
    const operation = { name, target, end, error, isDone, polls: this.#options.polls ?? 2 };
    this.#running.set(name, operation);
    return { name, done: false, metadata: metadataOf('IN_PROGRESS', target) };
  }

  #deployed(name: string, failed: boolean): void {
    const current = this.functions.get(name) ?? {};
    const id = name.split('/').at(-1) ?? '';
    const service = (current['serviceConfig'] ?? {}) as Json;
    const seconds = Math.floor(Date.now() / 1000);
    const ok = this.endState === undefined && !failed;
    this.functions.set(name, {
      ...current,
      state: this.endState ?? (ok ? 'ACTIVE' : 'FAILED'),
      ...(!ok && {
        stateMessages: [{ severity: 'ERROR', type: 'CloudRunServiceNotFound', message: 'it did not start' }],
      }),
      updateTime: { seconds: String(seconds), nanos: 0 },
      serviceConfig: {
        ...service,
        uri: `${this.http.url}/run/${id}`,
        service: `${PARENT}/services/${id}`,
        // Google adds some of its own.
        allTrafficOnLatestRevision: true,
        environmentVariables: { ...(service['environmentVariables'] as Json), LOG_EXECUTION_ID: 'true' },
      },
    });
    this.endState = undefined;
  }

  /** Is it done now? */
  #advance(operation: FakeOperation): boolean {
    if (operation.polls > 0) operation.polls -= 1;
    else if (!operation.isDone) {
      operation.isDone = true;
      operation.end(operation.error);
    }
    return operation.isDone;
  }

  #getOperation({ name }: Json): Json {
    const operation = this.#running.get(String(name));
    if (operation === undefined) throw new Refusal(5, `operation ${String(name)} was not found`);
    const { target, error } = operation;
    if (!this.#advance(operation))
      return { name: String(name), done: false, metadata: metadataOf('IN_PROGRESS', target) };
    if (error !== undefined)
      return { name: String(name), done: true, error, metadata: metadataOf('IN_PROGRESS', target) };
    const response = { type_url: 'type.googleapis.com/google.protobuf.Empty', value: Buffer.alloc(0) };
    return { name: String(name), done: true, response, metadata: metadataOf('COMPLETE', target) };
  }
}

class Refusal extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function metadataOf(state: 'IN_PROGRESS' | 'COMPLETE', target: string) {
  const { OperationMetadata } = protos.google.cloud.functions.v2;
  const stages = [
    { name: 'BUILD' as const, state, resourceUri: 'https://console.cloud.google.com/cloud-build/builds/1' },
    { name: 'SERVICE' as const, state: 'NOT_STARTED' as const },
  ];
  const message = OperationMetadata.fromObject({ target, verb: 'deploy', stages });
  const type = 'type.googleapis.com/google.cloud.functions.v2.OperationMetadata';
  return { type_url: type, value: Buffer.from(OperationMetadata.encode(message).finish()) };
}

function loadProtos(): { functions: grpc.ServiceDefinition; operations: grpc.ServiceDefinition } {
  const require = createRequire(import.meta.url);
  const client = dirname(require.resolve('@google-cloud/functions/package.json'));
  // Of its main file, since its manifest is not exported: <root>/build/src/index.js
  const gax = dirname(dirname(dirname(createRequire(join(client, 'x.js')).resolve('google-gax'))));
  const definition = protoLoader.loadSync(
    ['google/cloud/functions/v2/functions.proto', 'google/longrunning/operations.proto'],
    {
      includeDirs: [join(client, 'build/protos'), join(gax, 'build/protos')],
      keepCase: false,
      enums: String,
      longs: String,
      oneofs: false,
    },
  );
  return {
    functions: definition['google.cloud.functions.v2.FunctionService'] as grpc.ServiceDefinition,
    operations: definition['google.longrunning.Operations'] as grpc.ServiceDefinition,
  };
}

const camel = (path: string) => path.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

export function fakeGcp(options: FakeOptions = {}): Promise<FakeGcp> {
  return new FakeGcp(options).open();
}
