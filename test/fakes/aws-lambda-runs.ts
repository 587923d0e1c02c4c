/**
 * Calls on the fake Lambda: the handler of a Node.js runtime in this process, with what the real one puts around it:
 * X-Amz-Function-Error and its payload, the log tail with the REPORT line, throttles with their Reason
 * (API reference, Invoke; developer guide, "Monitoring", "Lambda quotas").
 */
import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { AnyJob } from '../../src/core/define-job.js';
import { lambdaHandler, lambdaStream } from '../../src/executors/aws-lambda/entry.js';
import type { StreamHandler } from '../../src/executors/aws-lambda/entry-shape.js';
import { invokeComplete, payloadChunk } from './aws-event-stream.js';
import { AwsRefusal, type FakeFunction, type FakeFunctions, type Json } from './aws-lambda-functions.js';
import { checkInvocable } from './aws-lambda-operations.js';

export interface RunRequest {
  readonly name: string;
  readonly qualifier: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface RunReply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** A function that is no job: it gets the event and answers with a payload. */
export type RawHandler = (event: unknown) => unknown;

const MAX_SYNC_BYTES = 6_291_456;
const MAX_EVENT_BYTES = 1_048_576;
const MAX_TAIL_BYTES = 4096;

export class FakeRuns {
  /** How often each call id has reached a handler. */
  readonly executions = new Map<string, number>();
  readonly #functions: FakeFunctions;
  readonly #handler: ReturnType<typeof lambdaHandler>;
  readonly #stream: StreamHandler;
  readonly #raw: Readonly<Record<string, RawHandler>>;

  constructor(functions: FakeFunctions, jobs: readonly AnyJob[], raw: Readonly<Record<string, RawHandler>>) {
    this.#functions = functions;
    this.#handler = lambdaHandler(jobs);
    // What Lambda's Node.js runtimes put there.
    Object.assign(globalThis, { awslambda: { streamifyResponse: (handler: StreamHandler) => handler } });
    this.#stream = lambdaStream(jobs) as StreamHandler;
    this.#raw = raw;
  }

  async invoke(request: RunRequest): Promise<RunReply> {
    const { name, qualifier, headers, body } = request;
    const configuration = checkInvocable(this.#functions, name, qualifier);
    const target = this.#functions.get(name);
    const type = headers['x-amz-invocation-type'] ?? 'RequestResponse';
    if (type === 'DryRun') return { status: 204, headers: {}, body: Buffer.alloc(0) };
    const limit = type === 'Event' ? MAX_EVENT_BYTES : MAX_SYNC_BYTES;
    if (body.length > limit) {
      const message = `Request must be smaller than ${limit} bytes for the InvokeFunction operation`;
      throw new AwsRefusal(413, 'RequestTooLargeException', message);
    }
    const event = readEvent(body);
    if (type === 'Event') {
      this.#run(target, configuration, event, randomUUID()).catch(() => {});
      return { status: 202, headers: {}, body: Buffer.alloc(0) };
    }
    if (target.inFlight >= (target.reserved ?? Infinity)) {
      throw new AwsRefusal(429, 'TooManyRequestsException', 'Rate Exceeded.', {
        Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
      });
    }
    const requestId = randomUUID();
    const run = await this.#run(target, configuration, event, requestId);
    const tail = headers['x-amz-log-type'] === 'Tail' ? run.tail : undefined;
    return {
      status: 200,
      headers: {
        'x-amzn-requestid': requestId,
        'x-amz-executed-version': String(configuration['Version']),
        'content-type': 'application/json',
        ...(run.functionError !== undefined && { 'x-amz-function-error': run.functionError }),
        ...(tail !== undefined && {
          'x-amz-log-result': Buffer.from(tail).subarray(-MAX_TAIL_BYTES).toString('base64'),
        }),
      },
      body: run.body,
    };
  }

  /** InvokeWithResponseStream: a function that fails has sent its pieces before, and says so at the end of a 200. */
  async stream({ name, qualifier, body }: RunRequest): Promise<RunReply> {
    const configuration = checkInvocable(this.#functions, name, qualifier);
    const timeoutMs = Number(configuration['Timeout']) * 1000;
    const output = new PassThrough();
    const pieces: Buffer[] = [];
    output.on('data', (piece: Buffer) => pieces.push(payloadChunk(piece)));
    const failure = await this.#stream(readEvent(body), output, {
      getRemainingTimeInMillis: () => timeoutMs,
    }).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    if (failure === undefined) await buffer(output);
    const end =
      failure === undefined
        ? invokeComplete()
        : invokeComplete({
            ErrorCode: 'Unhandled',
            ErrorDetails: JSON.stringify({ errorType: failure.name, errorMessage: failure.message }),
          });
    return {
      status: 200,
      headers: {
        'x-amzn-requestid': randomUUID(),
        'x-amz-executed-version': String(configuration['Version']),
        'content-type': 'application/vnd.amazon.eventstream',
      },
      body: Buffer.concat([...pieces, end]),
    };
  }

  async #run(target: FakeFunction, configuration: Json, event: unknown, requestId: string) {
    const isCold = target.inFlight >= target.instances;
    if (isCold) target.instances += 1;
    target.inFlight += 1;
    const instance = target.inFlight;
    const startedMs = performance.now();
    const timeoutMs = Number(configuration['Timeout']) * 1000;
    const callId = (event as { call_id?: string } | null)?.call_id;
    if (callId !== undefined) this.executions.set(callId, (this.executions.get(callId) ?? 0) + 1);
    let timer: NodeJS.Timeout | undefined;
    try {
      const raw = this.#raw[String(configuration['FunctionName'])];
      const remaining = {
        getRemainingTimeInMillis: () => Math.max(0, timeoutMs - (performance.now() - startedMs)),
      };
      const work = raw === undefined ? this.#handler(event, remaining) : Promise.resolve(raw(event));
      const timedOut = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(timeoutError(requestId, timeoutMs)), timeoutMs);
      });
      const payload: unknown = await Promise.race([work, timedOut]);
      // One process stands for all instances: the fake numbers them.
      const isWarm = typeof payload === 'object' && payload !== null && 'jobferry_warm' in payload;
      const body = isWarm ? { ...payload, instance: `instance-${instance}` } : (payload ?? null);
      return {
        functionError: undefined,
        body: Buffer.from(JSON.stringify(body)),
        tail: this.#log(target, configuration, requestId, startedMs, isCold),
      };
    } catch (thrown) {
      const { name, message, stack = '' } = thrown as Error;
      const trace = stack.split('\n');
      const body = Buffer.from(JSON.stringify({ errorType: name, errorMessage: message, trace }));
      return {
        functionError: 'Unhandled',
        body,
        tail: this.#log(target, configuration, requestId, startedMs, isCold),
      };
    } finally {
      clearTimeout(timer);
      target.inFlight -= 1;
    }
  }

  #log(
    target: FakeFunction,
    configuration: Json,
    requestId: string,
    startedMs: number,
    isCold: boolean,
  ): string {
    const durationMs = Math.round((performance.now() - startedMs) * 100) / 100;
    const billedMs = Math.ceil(durationMs);
    const memoryMb = Number(configuration['MemorySize']);
    const isJson = (configuration['LoggingConfig'] as Json | undefined)?.['LogFormat'] === 'JSON';
    const metrics = {
      durationMs,
      billedDurationMs: billedMs,
      memorySizeMB: memoryMb,
      maxMemoryUsedMB: 71,
      ...(isCold && { initDurationMs: 187.33 }),
    };
    const lines = isJson
      ? [
          JSON.stringify({
            time: new Date(),
            type: 'platform.report',
            record: { requestId, status: 'success', metrics },
          }),
        ]
      : [
          `START RequestId: ${requestId} Version: ${String(configuration['Version'])}`,
          `END RequestId: ${requestId}`,
          `REPORT RequestId: ${requestId}\tDuration: ${durationMs} ms\tBilled Duration: ${billedMs} ms\tMemory Size: ${memoryMb} MB\tMax Memory Used: 71 MB\t${isCold ? 'Init Duration: 187.33 ms\t' : ''}`,
        ];
    for (const message of lines)
      target.log.push({ id: randomUUID(), timestamp: Date.now(), message: `${message}\n` });
    return `${lines.join('\n')}\n`;
  }
}

function readEvent(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new AwsRefusal(400, 'InvalidRequestContentException', 'Could not parse request body into json');
  }
}

function timeoutError(requestId: string, timeoutMs: number): Error {
  const error = new Error(
    `RequestId: ${requestId} Error: Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`,
  );
  error.name = 'Sandbox.Timedout';
  error.stack = '';
  return error;
}
