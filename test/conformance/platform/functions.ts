/** The functions of the model platform: versions in temp folders, slots, counters, logs. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Refusal } from './refusal.js';
import type { Config, Reply, Rules } from './rules.js';
import { BadArchive, type Unzipped, unzip } from './unzip.js';

export interface LogLine {
  readonly time: string;
  readonly stream: 'stderr';
  readonly message: string;
  readonly call_id: string;
  readonly truncated?: true;
}

export interface Version {
  readonly folder: string;
  readonly config: Config;
  readonly etag: string;
  readonly sha256: string;
  readonly size: number;
  readonly deployedAt: string;
  readonly speaksBinary: boolean;
}

export class Deployed {
  readonly id: string;
  version: Version;
  total = 0;
  last: string | undefined;
  running = 0;
  readonly waiting: (() => void)[] = [];
  readonly log: LogLine[] = [];
  readonly followers = new Set<(line: LogLine) => void>();
  /** By idempotency key. */
  readonly keys = new Map<string, { content: string; reply?: Reply }>();

  constructor(id: string, version: Version) {
    this.id = id;
    this.version = version;
  }

  addLog(text: string, callId: string): void {
    for (const raw of text.replace(/\n$/, '').split('\n')) {
      const cut = raw.length > 16_000;
      const line: LogLine = {
        time: new Date().toISOString(),
        stream: 'stderr',
        message: cut ? raw.slice(0, 16_000) : raw,
        call_id: callId,
        ...(cut && { truncated: true }),
      };
      this.log.push(line);
      for (const follower of this.followers) follower(line);
    }
  }
}

const RANGES: Readonly<Record<string, readonly [min: number, max: number, step: number]>> = {
  memory_mb: [128, 10_240, 64],
  timeout_secs: [1, 900, 1],
  max_concurrency: [1, 1000, 1],
};
const DEFAULTS: Config = { memory_mb: 512, timeout_secs: 300, max_concurrency: 10, env_vars: {} };

/** @throws Refusal INVALID_CONFIG that names the field */
export function parseConfig(header: string | undefined, rules: Rules): Config {
  if (header === undefined) return DEFAULTS;
  const refuse = (why: string): Refusal => new Refusal(400, 'INVALID_CONFIG', why);
  try {
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(header) || header.length % 4 !== 0) throw refuse('no base64');
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'base64'));
    const given: unknown = JSON.parse(text);
    if (typeof given !== 'object' || given === null || Array.isArray(given)) throw refuse('no object');
    for (const [field, value] of Object.entries(given)) {
      const range = RANGES[field];
      if (field === 'env_vars') checkVariables(value);
      else if (range === undefined) {
        if (rules.lenientConfig !== 'unknown-fields') throw refuse(`${field} is unknown`);
      } else if (!Number.isInteger(value) || value < range[0] || value > range[1] || value % range[2] !== 0)
        throw refuse(`${field} is out of range`);
    }
    return { ...DEFAULTS, ...given };
  } catch (error) {
    if (rules.lenientConfig === 'defaults') return DEFAULTS;
    throw error instanceof Refusal ? error : refuse('no JSON inside base64');
  }
}

function checkVariables(value: unknown): void {
  const refuse = (why: string): Refusal => new Refusal(400, 'INVALID_CONFIG', why);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse('env_vars is no object');
  for (const [name, text] of Object.entries(value)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || /^(HOME|TMPDIR|FAAS_.*)$/.test(name))
      throw refuse(`env_vars.${name} is reserved or unfit`);
    if (typeof text !== 'string') throw refuse(`env_vars.${name} is no text`);
  }
}

export async function makeVersion(bytes: Buffer, config: Config, rules: Rules): Promise<Version> {
  const entries = readArchive(bytes, rules);
  const folder = await mkdtemp(join(tmpdir(), 'conformance-code-'));
  for (const { name, data } of entries) {
    const path = join(folder, name);
    await mkdir(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!name.endsWith('/')) await writeFile(path, data);
  }
  if (entries.some(({ name }) => name === 'bootstrap')) await chmod(join(folder, 'bootstrap'), 0o755);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const faas = entries.find(({ name }) => name === 'faas.json');
  return {
    folder,
    config,
    sha256,
    etag: createHash('sha256').update(sha256).update(canonical(config)).digest('hex').slice(0, 32),
    size: bytes.length,
    deployedAt: new Date().toISOString(),
    speaksBinary: faas !== undefined && JSON.parse(faas.data.toString()).protocol === 'binary-1',
  };
}

export async function dropVersion(version: Version): Promise<void> {
  await rm(version.folder, { recursive: true, force: true });
}

function canonical(config: Config): string {
  const variables = Object.entries(config.env_vars).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([config.memory_mb, config.timeout_secs, config.max_concurrency, variables]);
}

function readArchive(bytes: Buffer, rules: Rules): Unzipped[] {
  try {
    const entries = unzip(bytes, rules.unzip);
    const bootstrap = entries.find(({ name }) => name === 'bootstrap')?.data.toString('latin1') ?? '';
    const interpreter = /^#!\s*(\S+)/.exec(bootstrap)?.[1];
    if (interpreter !== undefined && !existsSync(interpreter))
      throw new BadArchive('its interpreter is not here');
    return entries;
  } catch (error) {
    if (rules.junkIsBootstrap) return [{ name: 'bootstrap', data: bytes, mode: 0o100755 }];
    const code = error instanceof BadArchive ? error.code : 'INVALID_PACKAGE';
    const why = error instanceof BadArchive ? error.message : 'it ends too early';
    throw new Refusal(code === 'PAYLOAD_TOO_LARGE' ? 413 : 400, code, `the archive cannot be used: ${why}`);
  }
}
