/** States in S3 as moto has it, and in a real Postgres. */
import { execFile } from 'node:child_process';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe } from 'vitest';
import { PostgresBackend, S3Backend } from '../../src/resources/index.js';
import { backendSuite } from '../resources/backend-suite.js';
import { freePort, type Program, pythonWith, start } from './programs.js';

const run = promisify(execFile);
const KEYS = { accessKeyId: 'AKIDMOTO', secretAccessKey: 'moto' };

describe('a state in S3', () => {
  let moto: Program;
  let endpoint: string;
  let count = 0;
  beforeAll(async () => {
    const port = await freePort();
    endpoint = `http://127.0.0.1:${port}`;
    const isUp = async () => (await fetch(`${endpoint}/moto-api/data.json`)).ok;
    const python = await pythonWith('moto[server]==5.2.5');
    moto = await start(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {}, isUp);
    const s3 = new S3Client({ region: 'us-east-1', endpoint, credentials: KEYS, forcePathStyle: true });
    await s3.send(new CreateBucketCommand({ Bucket: 'states' }));
    s3.destroy();
  });
  afterAll(() => moto?.stop());

  backendSuite(async () => {
    count += 1;
    const key = `${count}.json`;
    return () => new S3Backend({ bucket: 'states', key, region: 'us-east-1', endpoint, credentials: KEYS });
  });
});

describe('a state in Postgres', () => {
  let postgres: Program;
  let folder: string;
  let connectionString: string;
  let count = 0;
  beforeAll(async () => {
    const versions = await readdir('/usr/lib/postgresql').catch(() => []);
    const bin = `/usr/lib/postgresql/${versions.sort().at(-1)}/bin`;
    if (versions.length === 0) throw new Error('Postgres is not installed: run scripts/peers.sh.');
    folder = await mkdtemp(join(tmpdir(), 'jobferry-postgres-'));
    // It refuses to run as root.
    const asPostgres = async (command: string, args: readonly string[]) =>
      process.getuid?.() === 0
        ? (['runuser', ['-u', 'postgres', '--', command, ...args]] as const)
        : ([command, [...args]] as const);
    if (process.getuid?.() === 0) {
      const { stdout } = await run('id', ['-u', 'postgres']);
      await chown(folder, Number(stdout), Number(stdout));
    }
    const data = join(folder, 'data');
    const [initdb, initArgs] = await asPostgres(`${bin}/initdb`, [
      '-D',
      data,
      '-A',
      'trust',
      '-U',
      'postgres',
      '--no-sync',
    ]);
    await run(initdb, initArgs);
    const port = await freePort();
    connectionString = `postgres://postgres@127.0.0.1:${port}/postgres`;
    const options = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F'];
    const [server, serverArgs] = await asPostgres(`${bin}/postgres`, options);
    const isUp = async () => {
      const { default: pg } = await import('pg');
      const client = new pg.Client({ connectionString });
      try {
        await client.connect();
        return true;
      } finally {
        await client.end().catch(() => {});
      }
    };
    postgres = await start(server, serverArgs, {}, isUp);
  });
  afterAll(async () => {
    await postgres?.stop();
    // Its children end a moment after it.
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
  });

  backendSuite(async () => {
    count += 1;
    const workspace = `w${count}`;
    return () => new PostgresBackend({ connectionString, workspace });
  });
});
