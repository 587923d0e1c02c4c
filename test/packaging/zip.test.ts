import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import JSZip from 'jszip';
import { describe, expect, it } from 'vitest';
import { packageExecutable, packageFiles } from '../../src/packaging/index.js';
import { start, tempFolder, unpack } from './artifact.js';

describe('packageFiles', () => {
  it('keeps every byte of any file', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), async (bytes) => {
        const { bytes: zip } = await packageFiles([{ path: 'a/b.bin', bytes }]);
        const read = await (await JSZip.loadAsync(zip)).file('a/b.bin')?.async('uint8array');
        expect(Buffer.from(read as Uint8Array).equals(bytes)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('keeps modes and non-ASCII names and text', async () => {
    const { bytes } = await packageFiles([
      { path: 'run', bytes: '#!/bin/sh\n', mode: 0o755 },
      { path: 'größe/データ.txt', bytes: 'äöü ✓' },
    ]);
    const zip = await JSZip.loadAsync(bytes);
    expect(Number(zip.file('run')?.unixPermissions)).toBe(0o100755);
    expect(Number(zip.file('größe/データ.txt')?.unixPermissions)).toBe(0o100644);
    expect(await zip.file('größe/データ.txt')?.async('string')).toBe('äöü ✓');
  });

  it('gives the same bytes whatever the order of the files and the time zone', async () => {
    const files = [
      { path: 'b', bytes: '2' },
      { path: 'a', bytes: '1' },
      { path: 'B', bytes: '3' },
    ];
    const zone = process.env['TZ'];
    const first = await packageFiles(files);
    process.env['TZ'] = 'Pacific/Kiritimati';
    try {
      expect((await packageFiles([...files].reverse())).sha256).toBe(first.sha256);
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });

  it.each(['/etc/passwd', '../up', 'a/../b', './a', 'a//b', '', 'a\\b', 'C:/x', 'a\0b'])(
    'refuses the path %j',
    (path) => expect(packageFiles([{ path, bytes: '' }])).rejects.toMatchObject({ code: 'CONFIG' }),
  );

  it('refuses an empty artifact and a path given twice', async () => {
    await expect(packageFiles([])).rejects.toThrow(/at least one file/);
    const twice = [
      { path: 'a', bytes: '1' },
      { path: 'a', bytes: '2' },
    ];
    await expect(packageFiles(twice)).rejects.toThrow(/listed twice/);
  });
});

describe('packageExecutable', () => {
  const executable = async (bytes: string | Buffer, mode = 0o755) => {
    const path = join(await tempFolder(), 'tool');
    await writeFile(path, bytes);
    await chmod(path, mode);
    return path;
  };

  it('packs any script as bootstrap, which then runs', async () => {
    const path = await executable('#!/bin/sh\ncat >/dev/null; echo \'{"result":[7]}\'\n');
    const bootstrap = await unpack(await packageExecutable({ path }));
    const { code, stdout } = await start(bootstrap, '{"job_id":0,"args":[]}').ended;
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: '{"result":[7]}\n' });
  });

  it('packs a Linux binary', async () => {
    const bootstrap = await unpack(await packageExecutable({ path: '/bin/cat' }));
    expect((await start(bootstrap, 'hello').ended).stdout.toString()).toBe('hello');
  });

  it.each([
    ['an empty file', '', 0o755, /is empty/],
    ['a file that may not be executed', '#!/bin/sh\n', 0o644, /chmod \+x/],
    ['neither binary nor script', 'echo hello\n', 0o755, /neither a Linux binary/],
    ['Windows line ends', '#!/bin/sh\r\necho\r\n', 0o755, /Windows line ends/],
    ['a relative interpreter', '#!node\n', 0o755, /absolute path of an interpreter/],
  ])('refuses %s', async (_, bytes, mode, message) => {
    const path = await executable(bytes, mode);
    await expect(packageExecutable({ path })).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringMatching(message),
    });
  });

  it('refuses a folder and a file that does not exist', async () => {
    const folder = await tempFolder();
    await expect(packageExecutable({ path: folder })).rejects.toThrow(/not a regular file/);
    await expect(packageExecutable({ path: join(folder, 'none') })).rejects.toThrow(/ENOENT/);
  });
});
