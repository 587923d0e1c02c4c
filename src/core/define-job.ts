/** defineJob: what a job runner says once about a job. */
import { bytesCodec, type Codec, jsonCodec } from './codec.js';
import { FaasError } from './errors.js';
import type { FunctionConfig } from './executor.js';
import { checkJobId, type JobId, type Metadata } from './job.js';
import { type JobContext, jobContext } from './job-context.js';
import type { RetryPolicy } from './retry-policy.js';
import type { StandardSchema } from './standard-schema.js';

export { type JobContext, jobContext };

/** What a job does: gets the decoded, validated input, and returns the output or a promise of it. */
export type JobHandler<Input, Output> = (input: Input, context: JobContext) => Output | PromiseLike<Output>;

/** The promises of a job, all optional. */
export interface JobOptions {
  /** Milliseconds for the call with all its attempts. Default: the runner's, 300 000. */
  readonly timeoutMs?: number;
  /** Running it twice does no harm: doubtful failures may be retried, calls may be hedged. Default false. */
  readonly idempotent?: boolean;
  /** How failures are retried; `false` for never. Default: the runner's policy. */
  readonly retry?: Partial<RetryPolicy> | false;
  /**
   * The most calls of this job at once. Default: no limit of its own. A local handler that runs on after its deadline
   * or a cancellation keeps its place until it ends; calls that wait for it meanwhile end by their own deadline, not run.
   */
  readonly concurrency?: number;
  /** Run the local handler when a FaaS call certainly did not run. Default false. */
  readonly localFallback?: boolean;
  /** What the function needs where it is deployed; checked against the executor's limits at start. */
  readonly config?: Partial<FunctionConfig>;
}

/**
 * What `defineJob` takes. Four types meet in a job, since a schema may transform (`z.coerce`, defaults, `transform`):
 * the caller gives `CallInput`, the input schema makes `HandlerInput` of it, the handler returns `HandlerOutput` (or a
 * promise of it), and the output schema makes the outcome's `Value` of that. Without schemas each pair is one type.
 */
export interface JobDefinition<
  Id extends JobId,
  Name extends string,
  HandlerInput,
  HandlerOutput,
  CallInput = HandlerInput,
  Value = HandlerOutput,
> extends JobOptions {
  /** Unsigned 32-bit, unique in a runner. */
  readonly id: Id;
  /** Unique in a runner; shown in outcomes, logs and metrics. */
  readonly name: Name;
  /** What the job does. Optional for a job that only runs on a FaaS. */
  readonly handler?: JobHandler<HandlerInput, HandlerOutput>;
  /**
   * Validates the input before it is sent, and again where it runs. What travels is the caller's own value; the
   * handler gets what the schema made of it there.
   */
  readonly input?: StandardSchema<CallInput, HandlerInput>;
  /** Validates what the handler returned where it arrives; the outcome's `value` is what the schema made of it. */
  readonly output?: StandardSchema<HandlerOutput, Value>;
  /** `json` (default), `bytes` for a job that takes and gives a Uint8Array, or your own for both directions. */
  readonly codec?: 'json' | BytesIf<HandlerInput, HandlerOutput> | JobCodec<CallInput, HandlerOutput>;
}

/** `bytes` where the handler takes any Uint8Array and returns one, or pieces of one; nothing otherwise. */
type BytesIf<HandlerInput, HandlerOutput> = Uint8Array extends HandlerInput
  ? unknown extends HandlerOutput
    ? 'bytes'
    : HandlerOutput extends Uint8Array | AsyncIterable<Uint8Array>
      ? 'bytes'
      : never
  : never;

/** A codec for each direction: the caller's value to the handler's side, and what the handler returned back. */
export interface JobCodec<Input, Output> {
  /** The caller's value <-> bytes. */
  readonly input: Codec<Input>;
  /** What the handler returned <-> bytes. */
  readonly output: Codec<Output>;
}

/** Options of one call. */
export interface CallOptions {
  /** Names the call; the same id twice is the same logical call. Default: a new random id. */
  readonly callId?: string;
  /** Epoch milliseconds. Default: now + the job's `timeoutMs`. */
  readonly deadline?: number;
  /** Small strings that reach the handler, and come back on the outcome. Default: none. */
  readonly metadata?: Metadata;
  /** Called once the outcome, whatever its status, has reached every consumer. A method keeps its `this`. */
  readonly ack?: () => void | Promise<void>;
  /**
   * Called, with an Error that says why, when that did not happen. Without an `outcome` the item was never taken. With
   * one it may have run: offer it again only when `outcome.error?.executed` is `no`, or when running it twice does no
   * harm. See docs/delivery.md.
   */
  readonly nack?: (
    reason: unknown,
    outcome?: {
      readonly status: 'ok' | 'failed' | 'timed-out' | 'cancelled' | 'dead';
      readonly error?: FaasError | undefined;
      readonly attempts: number;
    },
  ) => void | Promise<void>;
}

/** One item of a producer: which job, with what. */
export interface JobRequest<Input = unknown> extends CallOptions {
  readonly jobId: JobId;
  /** What `job.call` was given, before any schema. */
  readonly input: Input;
}

/**
 * What `defineJob` returns: frozen, with every option as it was given or its default. `Input` is what `call` takes,
 * `Output` what the outcome's `value` is.
 */
export interface Job<
  Id extends JobId = JobId,
  Name extends string = string,
  Input = never,
  Output = unknown,
  HandlerInput = never,
  HandlerOutput = unknown,
> extends JobOptions {
  /** Unsigned 32-bit. */
  readonly id: Id;
  /** Shown in outcomes, logs and metrics. */
  readonly name: Name;
  /** Undefined for a job that only runs on a FaaS. */
  readonly handler: JobHandler<HandlerInput, HandlerOutput> | undefined;
  // Without its types, so that every job is an AnyJob.
  /** Validates, and may transform, what the caller gives. */
  readonly input: StandardSchema | undefined;
  /** Validates, and may transform, what the handler returned. */
  readonly output: StandardSchema<unknown, Output> | undefined;
  /** Values <-> bytes, in both directions. */
  readonly codec: JobCodec<unknown, unknown>;
  /** A request for a producer: `producer([square.call(7)])`. */
  call(...args: CallArguments<Input>): JobRequest<Input>;
  /** The brand by which `isJob` knows a job of any install of this package. */
  readonly [JOB]: true;
}

/** The input may be left out where the job takes none. */
export type CallArguments<Input> = undefined extends Input
  ? [input?: Input, options?: CallOptions]
  : [input: Input, options?: CallOptions];

/** Any job, whatever it takes and gives; `call` is left out, since its argument is what differs. */
export type AnyJob = Omit<Job<JobId, string, never, unknown>, 'call'>;

const JOB: unique symbol = Symbol.for('jobferry.Job') as never;

/** True for what `defineJob` returned, in any install of this package. */
export function isJob(value: unknown): value is AnyJob {
  return typeof value === 'object' && value !== null && JOB in value;
}

/**
 * Defines a job: id, name, handler and promises. Input and output types come from the handler or the schemas.
 * @throws {FaasError} CONFIG for an id that is no u32, an empty name, or an option out of range.
 */
export function defineJob<
  const Id extends JobId,
  const Name extends string,
  HandlerInput,
  HandlerOutput,
  CallInput = HandlerInput,
  Value = HandlerOutput,
>(
  definition: JobDefinition<Id, Name, HandlerInput, HandlerOutput, CallInput, Value>,
): Job<Id, Name, CallInput, Value, HandlerInput, HandlerOutput> {
  checkJobId(definition.id);
  const job = {
    timeoutMs: definition.timeoutMs,
    idempotent: definition.idempotent ?? false,
    retry: definition.retry,
    concurrency: definition.concurrency,
    localFallback: definition.localFallback ?? false,
    config: definition.config,
    id: definition.id,
    name: definition.name,
    handler: definition.handler,
    input: definition.input,
    output: definition.output,
    codec: chooseCodec(definition.codec),
    call: (input: CallInput, options?: CallOptions): JobRequest<CallInput> => ({
      ...options,
      jobId: definition.id,
      input,
    }),
    [JOB]: true,
  };
  checkDefinition(definition);
  return Object.freeze(job) as unknown as Job<Id, Name, CallInput, Value, HandlerInput, HandlerOutput>;
}

function chooseCodec(codec: unknown): JobCodec<unknown, unknown> {
  if (codec === undefined || codec === 'json') return { input: jsonCodec, output: jsonCodec };
  if (codec === 'bytes') {
    return { input: bytesCodec as Codec<unknown>, output: bytesCodec as Codec<unknown> };
  }
  return codec as JobCodec<unknown, unknown>;
}

const KNOWN_OPTIONS = new Set([
  'id',
  'name',
  'handler',
  'input',
  'output',
  'codec',
  'timeoutMs',
  'idempotent',
  'retry',
  'concurrency',
  'localFallback',
  'config',
]);

function checkDefinition(definition: object & { name?: unknown }): void {
  const { name, handler, timeoutMs, concurrency, codec } = definition as Record<string, unknown>;
  const faults: string[] = [];
  for (const key of Object.keys(definition)) {
    if (!KNOWN_OPTIONS.has(key))
      faults.push(`unknown option "${key}" (known: ${[...KNOWN_OPTIONS].join(', ')})`);
  }
  if (typeof name !== 'string' || name.trim() === '') faults.push('name must be a string that is not empty');
  if (handler !== undefined && typeof handler !== 'function') faults.push('handler must be a function');
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs > 0)) {
    faults.push('timeoutMs must be a number above 0');
  }
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && Number(concurrency) > 0)) {
    faults.push('concurrency must be an integer above 0');
  }
  if (typeof codec === 'string' && codec !== 'json' && codec !== 'bytes') {
    faults.push(`codec must be "json", "bytes" or { input, output }, not "${codec}"`);
  }
  if (faults.length === 0) return;
  throw new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `Job ${String(name)}: ${faults.join('; ')}.`,
  });
}
