import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dockerImage } from '../../src/executors/e2e-openfaas/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { failureOf, gatewayBench } from './setup.js';

/** Stands in for docker: notes its arguments and what it finds in the build context. */
const DOCKER = `#!/bin/sh
cd "$(dirname "$0")"
echo "$*" | sed 's#/tmp/[^ ]*jobferry-image-[^ ]*#CONTEXT#' >> calls
for last; do :; done
if [ "$1" = build ]; then (cd "$last" && ls -l) > context; fi
if [ -e fail ]; then echo 'no space left on device' >&2; exit 7; fi
if [ -e hang ]; then exec sleep 60; fi
`;

let folder: string;
let program: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-docker-'));
  program = join(folder, 'docker');
  await writeFile(program, DOCKER);
  await chmod(program, 0o755);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const context = await packageFiles([
  { path: 'Dockerfile', bytes: 'FROM scratch\n' },
  { path: 'function', bytes: '#!/bin/sh\n', mode: 0o755 },
]);
const reference = `registry.example/jobs:${context.sha256.slice(0, 12)}`;
const bench = () =>
  gatewayBench({}, { openfaas: { image: dockerImage({ repository: 'registry.example/jobs', program }) } });

describe('dockerImage', () => {
  it('builds the artifact as a context, pushes it, and the gateway gets its reference', async () => {
    await using it = await bench();
    await it.executor.deployJob(1, context);
    expect((await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n')).toEqual([
      `build -t ${reference} CONTEXT`,
      `push ${reference}`,
    ]);
    expect(await readFile(join(folder, 'context'), 'utf8')).toMatch(/^-rwxr-xr-x.* function$/m);
    expect(it.fake.functions.get('jobferry-job-1')?.spec['image']).toBe(reference);
  });

  it('says what the program said when it fails, and nothing is deployed', async () => {
    await writeFile(join(folder, 'fail'), '');
    await using it = await bench();
    const error = await failureOf(it.executor.deployJob(1, context));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('ended with exit code 7: no space left on device');
    expect(it.fake.writes()).toEqual([]);
    const missing = dockerImage({ repository: 'r', program: join(folder, 'nowhere') });
    await using other = await gatewayBench({}, { openfaas: { image: missing } });
    expect((await failureOf(other.executor.deployJob(1, context))).message).toContain('cannot be started');
  });

  it('is stopped with the deploy', async () => {
    await writeFile(join(folder, 'hang'), '');
    await using it = await bench();
    const deploy = it.executor.deployJob(1, context, {}, AbortSignal.timeout(300));
    expect(await failureOf(deploy)).toMatchObject({ code: 'CANCELLED', executed: 'no' });
  });
});
