import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import JSZip from 'jszip';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { extractZip } from '../src/code/extract.js';
import { answer } from './support/bootstraps.js';
import { type TestPlatform, tempFolder, testPlatform } from './support/platform.js';
import { bootstrapZip, type ZipEntry, zip } from './support/zip.js';

const bootstrap: ZipEntry = { name: 'bootstrap', content: answer(1) };
const withEntry = (entry: ZipEntry): Buffer => zip([bootstrap, entry]);
const KIB = 1024;

/** A real program of this machine, to be damaged. */
const program = await readFile('/bin/true');
const damagedProgram = (change: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.from(program);
  change(bytes);
  return zip([{ name: 'bootstrap', content: bytes }]);
};

describe('a zip', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform({
      limits: { maxUnzippedBytes: 4096 * KIB, maxZipBytes: 2048 * KIB, maxZipEntries: 50 },
    });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const HOSTILE: [string, Buffer, RegExp][] = [
    ['a name that climbs out', withEntry({ name: '../evil', content: 'x' }), /ends with a dot/],
    ['a name that climbs out later', withEntry({ name: 'a/../../evil' }), /ends with a dot/],
    ['an absolute name', withEntry({ name: '/tmp/evil' }), /absolute/],
    ['a drive', withEntry({ name: 'C:/evil' }), /absolute/],
    ['a backslash', withEntry({ name: '..\\evil' }), /backslash/],
    ['a NUL', withEntry({ name: 'a\0b' }), /control character/],
    ['an empty name', withEntry({ name: '' }), /empty name/],
    ['an empty part', withEntry({ name: 'a//b' }), /empty/],
    ['a name that ends with a dot', withEntry({ name: 'evil.' }), /ends with a dot/],
    ['a name that is not UTF-8', withEntry({ name: Buffer.from([0xff, 0xfe]) }), /not UTF-8/],
    ['a very deep name', withEntry({ name: `${'a/'.repeat(80)}b` }), /deeper/],
    ['a very long name', withEntry({ name: 'a/'.repeat(10) + 'b'.repeat(300) }), /too long/],
    [
      'a symbolic link',
      withEntry({ name: 'link', content: '/etc/passwd', mode: 0o120777 }),
      /not a regular file/,
    ],
    ['a link as the bootstrap', zip([{ ...bootstrap, mode: 0o120777 }]), /not a regular file/],
    ['a device', withEntry({ name: 'dev', mode: 0o020666 }), /not a regular file/],
    ['a pipe', withEntry({ name: 'pipe', mode: 0o010666 }), /not a regular file/],
    ['a folder with a file mode', withEntry({ name: 'd/', mode: 0o100644 }), /not a regular file/],
    [
      'a folder with content',
      withEntry({ name: 'd/', content: 'x', mode: 0o040755 }),
      /folder "d" has content/,
    ],
    ['the same name twice', zip([bootstrap, bootstrap]), /twice/],
    ['names that differ by case', zip([bootstrap, { name: 'A' }, { name: 'a' }]), /only by case/],
    [
      'names that differ by composition',
      zip([bootstrap, { name: 'é' }, { name: 'e\u0301' }]),
      /only by case/,
    ],
    [
      'a file that is a folder too',
      zip([bootstrap, { name: 'a' }, { name: 'a/b' }]),
      /both a file and a folder/,
    ],
    [
      'a size that is too small',
      withEntry({ name: 'a', content: 'x'.repeat(500), lie: { uncompressedSize: 10 } }),
      /./,
    ],
    ['a size that is too large', withEntry({ name: 'a', content: 'x', lie: { uncompressedSize: 100 } }), /./],
    ['a wrong checksum', withEntry({ name: 'a', content: 'x', lie: { crc32: 1 } }), /CRC-32/],
    ['an encrypted entry', withEntry({ name: 'a', content: 'x', lie: { flags: 0x801 } }), /encrypted/],
    [
      'an unknown compression method',
      withEntry({ name: 'a', content: 'x', lie: { method: 12 } }),
      /method 12/,
    ],
    [
      'overlapping entries',
      withEntry({ name: 'bootstrap2', content: answer(1), lie: { offset: 0 } }),
      /contradict|overlap/,
    ],
    ['two headers that contradict', withEntry({ name: 'a', lie: { localName: 'b' } }), /contradict/],
    [
      'data before the first entry',
      zip([bootstrap], { before: Buffer.from('MZ') }),
      /before the first entry/,
    ],
    ['more entries than there are', zip([bootstrap], { entryCount: 3 }), /./],
    ['a ratio bomb', withEntry({ name: 'bomb', content: Buffer.alloc(3000 * KIB) }), /100 times/],
    ['nothing', zip([]), /no file "bootstrap"/],
    ['no bootstrap', zip([{ name: 'main' }]), /no file "bootstrap"/],
    ['a bootstrap further down', zip([{ name: 'bin/bootstrap', content: answer(1) }]), /no file "bootstrap"/],
    ['a folder called bootstrap', zip([{ name: 'bootstrap/', mode: 0o040755 }]), /is a folder/],
    ['a file inside a folder called bootstrap', zip([{ name: 'bootstrap/x' }]), /is a folder/],
    ['an empty bootstrap', bootstrapZip(''), /is empty/],
    ['a bootstrap without #!', bootstrapZip('echo hi\n'), /neither a script/],
    ['a #! line that ends with CR LF', bootstrapZip('#!/bin/sh\r\necho hi\r\n'), /CR LF/],
    ['an interpreter that is not there', bootstrapZip('#!/no/such/interpreter\n'), /cannot run/],
    ['an interpreter without its path', bootstrapZip('#!sh\n'), /full path/],
    ['a #! line without end', bootstrapZip(`#!/bin/sh ${'x'.repeat(400)}`), /too long/],
    [
      'a program for another machine',
      damagedProgram((bytes) => bytes.writeUInt16LE(0x1234, 18)),
      /another machine/,
    ],
    [
      'a program cut short',
      zip([{ name: 'bootstrap', content: program.subarray(0, program.length >> 1) }]),
      /cut short/,
    ],
    ['a program with only its magic', bootstrapZip('\u007fELF'), /program/],
    ['junk', Buffer.from('this is no zip'), /./],
    ['no bytes', Buffer.alloc(0), /./],
  ];

  it.each(HOSTILE)('with %s is INVALID_PACKAGE and nothing is written', async (_, bytes, reason) => {
    const { status, body } = await server.deploy('hostile', bytes);
    expect([status, body.code]).toEqual([400, 'INVALID_PACKAGE']);
    expect(body.details.reason).toMatch(reason);
    expect(await readdir(join(server.dataDir, 'code'))).toEqual(['package.json']);
    expect(await readdir(join(server.dataDir, 'incoming'))).toEqual([]);
    expect((await server.request('GET', '/api/functions/hostile')).status).toBe(404);
  });

  it.each([
    ['too many bytes', zip([bootstrap, { name: 'r', content: randomBytes(2100 * KIB), stored: true }])],
    [
      'too many bytes once unpacked',
      zip([bootstrap, ...[1, 2, 3].map((n) => ({ name: `f${n}`, content: halfRandom(1500 * KIB) }))]),
    ],
    [
      'a lie about how much it unpacks to',
      withEntry({ name: 'f', content: 'x', lie: { uncompressedSize: 0xfffffff0 } }),
    ],
    ['too many entries', zip([bootstrap, ...Array.from({ length: 51 }, (_, n) => ({ name: `f${n}` }))])],
    [
      'too many folders implied',
      zip([bootstrap, { name: `${'d/'.repeat(30)}a` }, { name: `e/${'d/'.repeat(30)}a` }]),
    ],
  ])('with %s is 413 PAYLOAD_TOO_LARGE', async (_, bytes) => {
    const { status, body } = await server.deploy('large', bytes);
    expect([status, body.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(await readdir(join(server.dataDir, 'code'))).toEqual(['package.json']);
  });

  it('cut at any byte is refused', async () => {
    const whole = zip([bootstrap, { name: 'lib/a.txt', content: 'hello' }]);
    const folder = await tempFolder();
    const file = join(folder, 'z.zip');
    const limits = { maxUnzippedBytes: KIB * KIB, maxZipEntries: 10 };
    for (let length = 0; length < whole.length; length++) {
      await writeFile(file, whole.subarray(0, length));
      await expect(extractZip(file, join(folder, `t${length}`), limits)).rejects.toMatchObject({
        code: 'INVALID_PACKAGE',
      });
    }
  });

  it('with any byte changed is refused or yields only files inside the target', async () => {
    const whole = zip([bootstrap, { name: 'lib/a.txt', content: 'hello' }]);
    const limits = { maxUnzippedBytes: 4096, maxZipEntries: 10 };
    const root = await tempFolder();
    for (const change of [0x01, 0x20, 0x80, 0xff]) {
      for (let at = 0; at < whole.length; at++) {
        const outer = join(root, `${change}-${at}`);
        await mkdir(outer);
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] ?? 0) ^ change;
        await writeFile(join(outer, 'z.zip'), bytes);
        const outcome = await extractZip(join(outer, 'z.zip'), join(outer, 'target'), limits).then(
          () => 'extracted',
          (error) => error.code,
        );
        expect(['extracted', 'INVALID_PACKAGE', 'PAYLOAD_TOO_LARGE']).toContain(outcome);
        expect((await readdir(outer)).filter((name) => name !== 'target')).toEqual(['z.zip']);
      }
    }
  });
});

describe('a good zip', () => {
  it('becomes regular files 0644 or 0755, without setuid, and an executable bootstrap', async () => {
    await using server = await testPlatform();
    const { body } = await server.deploy(
      'modes',
      zip([
        { ...bootstrap, mode: 0o100600 },
        { name: 'tools/', mode: 0o040700 },
        { name: 'tools/run', content: 'x', mode: 0o104755 },
        { name: 'data.txt', content: 'x', mode: 0o100666, stored: true },
        { name: 'implied/ünïcode', content: 'x', mode: 0 },
      ]),
    );
    const code = join(server.dataDir, 'code', body.sha256);
    const mode = async (path: string): Promise<number> => (await stat(join(code, path))).mode & 0o7777;
    expect(await mode('bootstrap')).toBe(0o755);
    expect(await mode('tools')).toBe(0o755);
    expect(await mode('tools/run')).toBe(0o755);
    expect(await mode('data.txt')).toBe(0o644);
    expect(await mode('implied/ünïcode')).toBe(0o644);
    expect((await server.invoke('modes')).status).toBe(200);
  });

  it('may come from an ordinary zip library', async () => {
    const archive = new JSZip();
    archive.file('bootstrap', answer(3), { unixPermissions: 0o755 });
    archive.file('node_modules/x/index.js', 'module.exports = 1;');
    await using server = await testPlatform();
    await server.deploy(
      'jszip',
      await archive.generateAsync({ type: 'nodebuffer', platform: 'UNIX', compression: 'DEFLATE' }),
    );
    expect((await server.invoke('jszip')).body.result).toEqual([3]);
  });

  it('may hold a program', async () => {
    await using server = await testPlatform();
    await server.deploy('program', zip([{ name: 'bootstrap', content: program }]));
    expect((await server.invoke('program')).body.code).toBe('BAD_OUTPUT');
  });

  it('is not read by the rules of a package.json above the data folder', async () => {
    const outer = await tempFolder();
    await writeFile(join(outer, 'package.json'), '{"type":"module"}');
    await using server = await testPlatform({ dataDir: join(outer, 'data') });
    const script = `#!/usr/bin/env node\nrequire('node:fs').writeSync(1, '{"result":[4]}');\n`;
    await server.deploy('commonjs', script);
    expect((await server.invoke('commonjs')).body.result).toEqual([4]);
  });
});

function randomBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    bytes[at] = state >> 16;
  }
  return bytes;
}

/** Compresses to about a tenth, so that no ratio is suspicious. */
function halfRandom(length: number): Buffer {
  return Buffer.concat([randomBytes(length / 10), Buffer.alloc((length * 9) / 10)]);
}
