/**
 * The Lambda Runtime API, as a `bootstrap` sees it: GET next, POST response or error (developer guide, "Using the
 * Lambda runtime API for custom runtimes"). It starts one process and gives it one call at a time.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RuntimeProcess {
  /** Runs one event. Rejects with an error named as the runtime named it. */
  call(event: unknown): Promise<unknown>;
  close(): Promise<void>;
}

interface Pending {
  readonly id: string;
  readonly event: string;
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: Error) => void;
}

export async function runtimeProcess(bootstrap: string): Promise<RuntimeProcess> {
  const waiting: Pending[] = [];
  const running = new Map<string, Pending>();
  let idle: ServerResponse | undefined;
  const hand = () => {
    const next = idle === undefined ? undefined : waiting.shift();
    if (next === undefined) return;
    running.set(next.id, next);
    idle?.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': next.id,
      'lambda-runtime-deadline-ms': String(Date.now() + 30_000),
    });
    idle?.end(next.event);
    idle = undefined;
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [id = '', kind = ''] = (request.url ?? '').split('/').slice(-2);
    if (kind === 'next') {
      idle = response;
      return hand();
    }
    const done = running.get(id);
    running.delete(id);
    response.writeHead(done === undefined ? 400 : 202).end();
    const payload: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (kind === 'response') done?.resolve(payload);
    else
      done?.reject(
        runtimeError(payload as { errorType: string; errorMessage: string; stackTrace: string[] }),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const env = { PATH: process.env['PATH'] ?? '', AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}` };
  const child = spawn(bootstrap, { env, stdio: 'ignore' });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  return {
    call: (event) =>
      new Promise((resolve, reject) => {
        waiting.push({ id: randomUUID(), event: JSON.stringify(event), resolve, reject });
        hand();
      }),
    close: async () => {
      child.kill('SIGKILL');
      await gone;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function runtimeError({
  errorType,
  errorMessage,
  stackTrace,
}: {
  errorType: string;
  errorMessage: string;
  stackTrace: string[];
}): Error {
  const error = new Error(errorMessage);
  error.name = errorType;
  error.stack = stackTrace.join('\n');
  return error;
}
