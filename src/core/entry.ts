/** Runs a job on bytes: what every entry inside a FaaS, and the memory executor, do around the handler. */
import { encodeWith } from './codec.js';
import { type AnyJob, type JobContext, type JobHandler, jobContext } from './define-job.js';
import { FaasError, functionError } from './errors.js';
import type { CallContext } from './executor.js';
import type { JobCall } from './job.js';
import { validate } from './standard-schema.js';

/**
 * Decodes and validates the input, runs the handler, encodes the output.
 * @throws {FaasError} INVALID_REQUEST (`executed: no`) for bad input, FUNCTION_ERROR for what the handler throws.
 */
export async function runJob(
  job: AnyJob,
  call: JobCall,
  context: Pick<CallContext, 'deadline' | 'signal'>,
  provider: string,
): Promise<Uint8Array> {
  const input = decodeInput(job, call.args);
  const output = await runHandler(job, input, jobContext(call, job.name, context), provider);
  return encodeOutput(job, output);
}

/**
 * The same, piece by piece: a handler that returns an AsyncIterable of bytes gives its pieces, any other its encoded
 * output as one piece.
 * @throws {FaasError} as `runJob`, also from the iteration
 */
export async function* runJobStream(
  job: AnyJob,
  call: JobCall,
  context: Pick<CallContext, 'deadline' | 'signal'>,
  provider: string,
): AsyncGenerator<Uint8Array> {
  const input = decodeInput(job, call.args);
  const output = await runHandler(job, input, jobContext(call, job.name, context), provider);
  if (!isAsyncIterable(output)) {
    yield encodeOutput(job, output);
    return;
  }
  try {
    yield* output;
  } catch (thrown) {
    throw functionError(thrown, { provider, functionName: job.name }, context);
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<Uint8Array> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Validates, runs the handler, and turns what it throws into a FUNCTION_ERROR. Values in, values out. */
export async function runHandler(
  job: AnyJob,
  input: unknown,
  context: JobContext,
  provider: string,
): Promise<unknown> {
  const handler = job.handler as JobHandler<unknown, unknown> | undefined;
  if (handler === undefined) {
    throw new FaasError({
      code: 'CONFIG',
      executed: 'no',
      provider,
      message: `Job "${job.name}" has no handler to run on ${provider}. Add one to defineJob, or send the job to an executor.`,
    });
  }
  const schema = job.input;
  const checked =
    schema === undefined ? input : await validate(schema, input, `The input of job "${job.name}"`, 'no');
  try {
    return await handler(checked, context);
  } catch (thrown) {
    throw functionError(thrown, { provider, functionName: job.name }, context);
  }
}

/** @throws {FaasError} FUNCTION_ERROR for a value the codec does not take: the handler has run by then. */
export function encodeOutput(job: AnyJob, output: unknown): Uint8Array {
  try {
    return encodeWith(job.codec.output, output, `The output of job "${job.name}"`);
  } catch (cause) {
    throw FaasError.is(cause) ? cause.with({ code: 'FUNCTION_ERROR', executed: 'yes' }) : cause;
  }
}

function decodeInput(job: AnyJob, args: Uint8Array): unknown {
  try {
    return job.codec.input.decode(args);
  } catch (cause) {
    throw new FaasError({
      code: 'INVALID_REQUEST',
      executed: 'no',
      message: `The input of job "${job.name}" (${args.length} bytes) is not valid ${job.codec.input.contentType}.`,
      cause,
    });
  }
}
