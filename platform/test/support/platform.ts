/** A platform of the test's own, in a folder of its own, and the few requests tests make of it. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

import type { LogLine } from '../../src/index.js';
import { type Platform, type PlatformOptions, startPlatform } from '../../src/index.js';
import { bootstrapZip } from './zip.js';

export interface JsonReply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly body: any;
}

export interface BytesReply {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

export interface Client {
  request(method: string, path: string, options?: RequestOptions): Promise<JsonReply>;
  /** The same, with the body as it came. */
  requestBytes(method: string, path: string, options?: RequestOptions): Promise<BytesReply>;
  deploy(id: string, zipOrScript: Buffer | string, config?: object, query?: string): Promise<JsonReply>;
  invoke(
    id: string,
    args?: ArrayLike<number>,
    headers?: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<JsonReply>;
}

export interface TestPlatform extends Client, AsyncDisposable {
  readonly platform: Platform;
  readonly dataDir: string;
  readonly log: LogLine[];
}

export interface RequestOptions {
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

const folders: string[] = [];

// Hooks run last in, first out: this one comes after those that close what uses the folders.
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** A folder that is removed when the test file is done. */
export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-test-'));
  folders.push(folder);
  return folder;
}

export async function testPlatform(options: PlatformOptions = {}): Promise<TestPlatform> {
  const dataDir = options.dataDir ?? (await tempFolder());
  const log: LogLine[] = [];
  const platform = await startPlatform({
    port: 0,
    dataDir,
    log: (line) => log.push(line),
    // Many functions of the tests leave word outside; what a sandbox changes has tests of its own.
    isolation: 'off',
    ...options,
  });
  const client = clientOf(platform.url);
  return {
    platform,
    dataDir,
    log,
    ...client,
    async [Symbol.asyncDispose]() {
      await platform.close();
    },
  };
}

export function clientOf(url: string): Client {
  const requestBytes: Client['requestBytes'] = async (method, path, { body, headers, signal } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      ...(body !== undefined && { body: typeof body === 'string' ? body : new Uint8Array(body) }),
      ...(headers !== undefined && { headers }),
      ...(signal !== undefined && { signal }),
    });
    const { status } = response;
    return { status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
  };
  const request: Client['request'] = async (method, path, options) => {
    const { status, headers, bytes } = await requestBytes(method, path, options);
    return { status, headers, body: bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8')) };
  };
  return {
    request,
    requestBytes,
    deploy: (id, zipOrScript, config, query = '') =>
      request('PUT', `/api/functions/${id}${query}`, {
        body: typeof zipOrScript === 'string' ? bootstrapZip(zipOrScript) : zipOrScript,
        headers: {
          'Content-Type': 'application/zip',
          ...(config !== undefined && {
            'X-Blueprint-Config': Buffer.from(JSON.stringify(config)).toString('base64'),
          }),
        },
      }),
    invoke: (id, args = [], headers = {}, signal) =>
      request('POST', `/api/functions/${id}/invoke`, {
        body: JSON.stringify({ job_id: 7, args: Array.from(args) }),
        headers: { 'Content-Type': 'application/json', ...headers },
        ...(signal !== undefined && { signal }),
      }),
  };
}

export async function eventually(
  check: () => boolean | Promise<boolean>,
  what: string,
  patienceMs = 15_000,
): Promise<void> {
  const giveUpAt = Date.now() + patienceMs;
  while (!(await check())) {
    if (Date.now() > giveUpAt) throw new Error(`did not happen in ${patienceMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The private folders of calls that are there now; each platform on the data folder has a folder of its own for them. */
export async function callFolders(dataDir: string): Promise<string[]> {
  const platforms = await readdir(join(dataDir, 'calls'));
  return (await Promise.all(platforms.map((name) => readdir(join(dataDir, 'calls', name))))).flat();
}

/** Waits until only those folders are left in which something waits to be used. */
export async function callsAreGone({ dataDir, platform }: TestPlatform): Promise<void> {
  await eventually(async () => {
    const { waiting, ready } = platform.stats();
    return (await callFolders(dataDir)).length === waiting + ready;
  }, 'the folders of the calls are gone');
}
