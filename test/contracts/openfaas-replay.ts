/** A server that answers with what was recorded of OpenFaaS, one exchange after another. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { E2eOpenFaasExecutor, type OpenFaasOptions } from '../../src/executors/e2e-openfaas/index.js';
import { contractFile } from './folder.js';

export interface Capture {
  readonly label: string;
  readonly set: string;
  readonly authored_by: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Record<string, string>;
  };
  readonly response: {
    readonly status: number;
    readonly headers: readonly (readonly [string, string])[];
    readonly body: string;
  };
}

const recorded = JSON.parse(readFileSync(contractFile('openfaas-captures.json'), 'utf8')) as {
  readonly captures: readonly Capture[];
};

/** `set: label`, which names a capture. */
export const keyOf = ({ set, label }: Capture): string => `${set}: ${label}`;

export const CAPTURES: ReadonlyMap<string, Capture> = new Map(
  recorded.captures.map((one) => [keyOf(one), one]),
);

/** Status and body of the others were made by a stand-in for a provider. */
export const isUpstream = ({ authored_by: by }: Capture): boolean =>
  /^(gateway|of-watchdog|classic watchdog)/.test(by);

export function captureOf(key: string): Capture {
  const found = CAPTURES.get(key);
  if (found === undefined) throw new Error(`There is no capture ${key}.`);
  return found;
}

/** These describe one connection. */
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date']);

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** Answers the requests with these captures in turn, the last one for ever. */
export async function replay(keys: readonly string[], options: OpenFaasOptions = {}) {
  const captures = keys.map(captureOf);
  const seen: SeenRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const capture = captures[Math.min(seen.length, captures.length - 1)] as Capture;
      const { method = '', url: path = '', headers } = incoming;
      seen.push({
        method,
        path,
        authorization: headers.authorization,
        body: Buffer.concat(chunks).toString(),
      });
      const { status, headers: pairs, body } = capture.response;
      outgoing.writeHead(status, Object.fromEntries(pairs.filter(([name]) => !HOP.has(name.toLowerCase()))));
      outgoing.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const executor = new E2eOpenFaasExecutor({
    url,
    auth: { basic: { user: 'admin', password: 'pass' } },
    functionName: () => 'cat-fn',
    openfaas: { image: 'functions/alpine:latest' },
    pollMs: 1,
    deployTimeoutMs: 200,
    ...options,
  });
  return {
    executor,
    seen,
    async [Symbol.asyncDispose]() {
      await executor.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
