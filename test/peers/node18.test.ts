/** Packages for DigitalOcean under Node.js 18, the default runtime there. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import JSZip from 'jszip';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packageExecutable } from '../../src/packaging/executable.js';
import { packageHandler } from '../../src/packaging/handler.js';
import { cacheFolder } from './programs.js';

const NODE18 = join(cacheFolder, 'node18', 'node_modules', 'node', 'bin', 'node');
const target = 'digitalocean';
const RUN = `require(process.argv[1])
  .main(JSON.parse(process.argv[2]))
  .then((reply) => { console.log(JSON.stringify([process.version, reply])); process.exit(0); });`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-node18-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const packages = {
  handler: async () => {
    const entry = join(folder, 'jobs.ts');
    await writeFile(
      entry,
      `import { defineJob } from 'jobferry';
       export const add = defineJob({ id: 7, name: 'add', handler: (n: number) => n + 1 });`,
    );
    return packageHandler({ target, entry });
  },
  executable: async () => {
    const path = join(folder, 'answer');
    await writeFile(path, '#!/bin/sh\ncat > /dev/null; printf \'{"result":[52,50]}\'\n');
    await chmod(path, 0o755);
    return packageExecutable({ target, path });
  },
};

it.each(['handler', 'executable'] as const)('a package of kind %s runs on Node.js 18', async (kind) => {
  const artifact = await packages[kind]();
  const action = await mkdtemp(join(folder, 'action-'));
  for (const [name, file] of Object.entries((await JSZip.loadAsync(artifact.bytes)).files)) {
    await writeFile(join(action, name), await file.async('nodebuffer'));
    await chmod(join(action, name), Number(file.unixPermissions) & 0o777);
  }
  const event = { job_id: 7, call_id: 'c', timeout_ms: 9000, args_base64: btoa('41') };
  const { stdout } = await promisify(execFile)(NODE18, ['-e', RUN, action, JSON.stringify(event)]);
  const [version, reply] = JSON.parse(stdout) as [string, unknown];
  expect(version).toMatch(/^v18\./);
  expect(reply).toMatchObject({ success: true, result_base64: btoa('42') });
});
