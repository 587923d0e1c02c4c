/** Runs inside a cloud: an executable that speaks the custom-FaaS spec's stdin and stdout, one process a call. */
import { spawn } from 'node:child_process';
import { FaasError, type RemoteError } from '../../../core/errors.js';
import type { JobCall } from '../../../core/job.js';
import { decodeReply, encodeEvent } from './event.js';
import { named } from './named.js';
import type { CallAnswer, CallRunner } from './runner.js';

/** What 6 MB of result take as an array of integers, and some room. */
const DEFAULT_MAX_OUTPUT_BYTES = 24 * 1024 * 1024;
const STDERR_TAIL_BYTES = 4096;

interface Ending {
  readonly how: string;
  readonly ok: boolean;
  readonly stdout: Buffer;
  readonly stderrTail: string;
}

/**
 * Starts `path` for each call.
 * @param maxOutputBytes of stdout; more is PAYLOAD_TOO_LARGE. Default 24 MiB
 */
export function executableRunner(path: string, maxOutputBytes = DEFAULT_MAX_OUTPUT_BYTES): CallRunner {
  return async (call) => read(call, await run(path, call, maxOutputBytes));
}

function run(path: string, call: JobCall, maxOutputBytes: number): Promise<Ending> {
  // Without the Runtime API in its environment, a bundle that could speak both speaks stdin and stdout.
  const { AWS_LAMBDA_RUNTIME_API: _, ...env } = process.env;
  const child = spawn(path, [], { env, detached: true, stdio: 'pipe' });
  const chunks: Buffer[] = [];
  let bytes = 0;
  let stderrTail = '';
  let failure: FaasError | undefined;
  const kill = (reason: FaasError) => {
    failure ??= reason;
    try {
      // The whole group: what it started must not go on in a frozen instance.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  };
  const timer = setTimeout(
    () => kill(error('TIMEOUT', 'yes', 'The executable was killed at the deadline of its call.')),
    Math.max(0, Math.min(call.deadline - Date.now(), 2 ** 31 - 1)),
  );
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxOutputBytes) chunks.push(chunk);
    else kill(error('PAYLOAD_TOO_LARGE', 'yes', `The executable printed more than ${maxOutputBytes} bytes.`));
  });
  child.stderr.on('data', (chunk: Buffer) => {
    process.stderr.write(chunk);
    stderrTail = (stderrTail + chunk.toString('utf8')).slice(-STDERR_TAIL_BYTES);
  });
  // It may answer without reading its input to the end.
  child.stdin.on('error', () => {});
  child.stdin.end(encodeEvent(call, call.deadline, 'number-array'));
  return new Promise<Ending>((resolve, reject) => {
    child.on('error', (cause) =>
      reject(error('CONFIG', 'no', `The executable cannot be started: ${cause.message}`)),
    );
    child.on('close', (code, signal) => {
      if (failure !== undefined) reject(failure);
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
      resolve({ how, ok: code === 0, stdout: Buffer.concat(chunks), stderrTail });
    });
  }).finally(() => clearTimeout(timer));
}

function read(call: JobCall, { how, ok, stdout, stderrTail }: Ending): CallAnswer {
  const reply = stdout.length === 0 ? undefined : decodeReply(stdout);
  if (reply?.kind === 'failure') {
    const { error: text, error_name: name, error_stack: stack } = reply.fields;
    throw remote({
      name: string(name) ?? 'Error',
      message: string(text) ?? 'The executable gave no reason.',
      stack: string(stack) ?? stderrTail,
    });
  }
  if (!ok)
    throw remote({ name: 'ExitError', message: `The executable ended with ${how}.`, stack: stderrTail });
  if (reply?.kind === 'result')
    return { result: reply.result, metadata: { ...call.metadata, ...reply.metadata } };
  throw remote({
    name: 'BadOutput',
    message: `The executable printed ${stdout.length} bytes that are no reply.`,
    stack: stderrTail,
  });
}

function string(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function remote({ name, message, stack }: RemoteError): Error {
  return named(name, message, stack);
}

function error(
  code: 'TIMEOUT' | 'PAYLOAD_TOO_LARGE' | 'CONFIG',
  executed: 'yes' | 'no',
  message: string,
): FaasError {
  return new FaasError({ code, executed, message });
}
