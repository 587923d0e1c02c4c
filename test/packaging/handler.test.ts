import { mkdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import JSZip from 'jszip';
import { describe, expect, it } from 'vitest';
import { packageHandler } from '../../src/packaging/index.js';
import { call, project, request, tempFolder, unpack } from './artifact.js';

const jobs = `
import { defineJob } from 'jobferry';
import { twice } from './lib/twice.ts';
export const double = defineJob({ id: 1, name: 'double', handler: (n: number) => twice(n) });
export const length = defineJob({ id: 4_294_967_295, name: 'length', codec: 'bytes', handler: (b: Uint8Array) => b.slice(0, 1) });
`;
const twice = 'export const twice = (n: number): number => 2 * n;';
const typescript = { 'jobs.ts': jobs, 'lib/twice.ts': twice };

describe('packageHandler', () => {
  it('bundles TypeScript and what it imports into one executable file, beside what it can do', async () => {
    const artifact = await packageHandler({ entry: await project(typescript) });
    const { files } = await JSZip.loadAsync(artifact.bytes);
    expect(Object.keys(files)).toEqual(['bootstrap', 'faas.json']);
    expect(JSON.parse((await files['faas.json']?.async('string')) ?? '')).toEqual({ protocol: 'binary-1' });
    expect(Number(files['bootstrap']?.unixPermissions) & 0o777).toBe(0o755);
    expect((await files['bootstrap']?.async('string'))?.startsWith('#!/usr/bin/env node\n')).toBe(true);
    expect((await call(await unpack(artifact), request(1, 21))).value).toBe(42);
  });

  it('needs less than 60 kB for itself, unpacked', async () => {
    const artifact = await packageHandler({ entry: await project(typescript) });
    const { files } = await JSZip.loadAsync(artifact.bytes);
    expect((await files['bootstrap']?.async('uint8array'))?.length).toBeLessThan(60_000);
  });

  it('serves every exported job by the id in the request, up to the largest id', async () => {
    const bootstrap = await unpack(await packageHandler({ entry: await project(typescript) }));
    expect((await call(bootstrap, request(1, 4))).value).toBe(8);
    const bytes = await call(bootstrap, JSON.stringify({ job_id: 4_294_967_295, args: [200, 1] }));
    expect(bytes.answer.result).toEqual([200]);
  });

  it('serves any id with a function that is the default export', async () => {
    const entry = await project({
      'greet.mjs': 'export const other = () => 1; export default (name, context) => [context.jobId, name];',
    });
    const bootstrap = await unpack(await packageHandler({ entry }));
    expect((await call(bootstrap, request(300, 'Ada'))).value).toEqual([300, 'Ada']);
  });

  it('takes CommonJS: a function as module.exports', async () => {
    const entry = await project({ 'square.cjs': 'module.exports = (n) => n * n;' });
    expect((await call(await unpack(await packageHandler({ entry })), request(0, 9))).value).toBe(81);
  });

  it('runs packages that ask for import.meta.url', async () => {
    const entry = await project({
      'jobs.js':
        'import { createRequire } from "node:module"; export default () => createRequire(import.meta.url)("node:path").sep;',
    });
    expect((await call(await unpack(await packageHandler({ entry })), request(0, null))).value).toBe('/');
  });

  it('names lines of the source in stack traces when asked for source maps', async () => {
    const entry = await project({
      'jobs.ts':
        'interface Unused { a: number }\n\nexport default () => {\n  throw new RangeError("far");\n};\n',
    });
    const bootstrap = await unpack(await packageHandler({ entry, sourcemap: true }));
    const { answer } = await call(bootstrap, request(0, null));
    expect(answer.error_name).toBe('RangeError');
    expect(answer.error_stack).toMatch(/jobs\.ts:4:9/);
  });
});

describe('an artifact is deterministic (origin-defects 0.21)', () => {
  it.each([{}, { minify: false }, { sourcemap: true }])('in any folder, at any time: %j', async (options) => {
    const first = await project(typescript);
    const deeper = join(await tempFolder(), 'some/other/place');
    await mkdir(deeper, { recursive: true });
    const second = await project(typescript, deeper);
    await utimes(second, 1, 1);
    const before = process.cwd();
    const a = await packageHandler({ entry: first, ...options });
    process.chdir(deeper);
    try {
      const b = await packageHandler({ entry: 'jobs.ts', ...options });
      expect(b.sha256).toBe(a.sha256);
      expect(Buffer.from(b.bytes).equals(a.bytes)).toBe(true);
    } finally {
      process.chdir(before);
    }
    const bootstrap = await (await JSZip.loadAsync(a.bytes)).file('bootstrap')?.async('string');
    expect(bootstrap).not.toContain(first.slice(0, first.lastIndexOf('/')));
  });

  it('and other code gives another one', async () => {
    const a = await packageHandler({ entry: await project(typescript) });
    const b = await packageHandler({
      entry: await project({ ...typescript, 'lib/twice.ts': twice.replace('2', '3') }),
    });
    expect(b.sha256).not.toBe(a.sha256);
  });
});

describe('packageHandler says what is wrong', () => {
  const failure = async (files: Record<string, string>) => packageHandler({ entry: await project(files) });

  it('with a file that does not exist, or is a folder', async () => {
    const folder = await tempFolder();
    await expect(packageHandler({ entry: join(folder, 'none.ts') })).rejects.toThrow(
      /none\.ts does not exist/,
    );
    await expect(packageHandler({ entry: folder })).rejects.toThrow(/is not a file/);
  });

  it('with a module that exports nothing', async () => {
    await expect(failure({ 'jobs.ts': 'const job = 1; console.log(job);' })).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringContaining('exports nothing'),
    });
  });

  it('with a syntax error, by file, line and column', async () => {
    await expect(failure({ 'jobs.ts': 'export const a = 1;\nexport const = 2;' })).rejects.toThrow(
      /jobs\.ts:2:14: /,
    );
  });

  it('with a package that is not installed, by its name', async () => {
    await expect(
      failure({ 'jobs.ts': 'import x from "@acme/missing/sub"; export default x;' }),
    ).rejects.toThrow(/Install the package "@acme\/missing"/);
  });

  it('with a file that is not there', async () => {
    await expect(failure({ 'jobs.ts': 'export * from "./gone.ts";' })).rejects.toThrow(
      /"\.\/gone\.ts".*Check the path/,
    );
  });

  it('with a top-level await', async () => {
    await expect(failure({ 'jobs.ts': 'const x = await 1;\nexport default () => x;' })).rejects.toThrow(
      /Top-level await.*Move the await into the handler/,
    );
  });

  it('with a subpath of this package that does not exist', async () => {
    await expect(
      failure({ 'jobs.ts': 'import "jobferry/nothing"; export default () => 1;' }),
    ).rejects.toThrow(/does not export "jobferry\/nothing"/);
  });

  it('and leaves out what it is told is external', async () => {
    const entry = await project({ 'jobs.js': 'import x from "@acme/missing"; export default () => x;' });
    const bootstrap = await unpack(await packageHandler({ entry, external: ['@acme/missing'] }));
    const { code, answer } = await call(bootstrap, request(0, null));
    expect(code).toBe(1);
    expect(answer.error).toMatch(/Cannot find module '@acme\/missing'/);
  });
});
