/** Can this machine start the bootstrap? Asked at deploy, so that "deployed" means "can be called". */

import { constants } from 'node:fs';
import { access, type FileHandle, open } from 'node:fs/promises';
import { isAbsolute } from 'node:path';

import { invalidPackage } from './package-error.js';

/** The kernel reads this much of a `#!` line (BINPRM_BUF_SIZE). */
const MAX_SHEBANG_BYTES = 256;
const ELF_MAGIC = 0x7f454c46;
const ELF_MACHINES: Readonly<Record<string, number>> = {
  x64: 62,
  arm64: 183,
  ia32: 3,
  arm: 40,
  riscv64: 243,
  ppc64: 21,
  s390x: 22,
};
const MACH_O_MAGICS = new Set([0xcffaedfe, 0xcefaedfe, 0xcafebabe]);
const PT_LOAD = 1;
const PT_INTERP = 3;

/** @throws PlatformError INVALID_PACKAGE with the reason */
export async function checkBootstrap(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw invalidPackage('"bootstrap" is a folder, not a file');
    const { size } = info;
    if (size === 0) throw invalidPackage('"bootstrap" is empty');
    const head = await read(handle, 0, MAX_SHEBANG_BYTES);
    const magic = head.length >= 4 ? head.readUInt32BE(0) : 0;
    if (head.subarray(0, 2).toString('latin1') === '#!') await checkScript(head);
    else if (magic === ELF_MAGIC && process.platform === 'linux') await checkElf(handle, head, size);
    else if (!MACH_O_MAGICS.has(magic) || process.platform !== 'darwin') {
      throw invalidPackage(
        '"bootstrap" is neither a script that begins with "#!" nor a program for this machine',
      );
    }
  } finally {
    await handle.close();
  }
}

async function checkScript(head: Buffer): Promise<void> {
  const end = head.indexOf(0x0a);
  if (end === -1 && head.length === MAX_SHEBANG_BYTES)
    throw invalidPackage('the "#!" line of "bootstrap" is too long');
  const line = head.subarray(2, end === -1 ? undefined : end).toString('utf8');
  if (line.endsWith('\r'))
    throw invalidPackage('the "#!" line of "bootstrap" ends with CR LF; save it with LF line ends');
  const interpreter = line.trim().split(/[ \t]/)[0] ?? '';
  if (!isAbsolute(interpreter))
    throw invalidPackage('the "#!" line of "bootstrap" does not name an interpreter by its full path');
  await requireExecutable(interpreter);
}

/** Class, machine, and every loaded segment inside the file: what the kernel would refuse, and a truncated upload. */
async function checkElf(handle: FileHandle, head: Buffer, size: number): Promise<void> {
  const machine = ELF_MACHINES[process.arch];
  if (head.length < 64 || machine === undefined)
    throw invalidPackage('"bootstrap" is not a program for this machine');
  const is64 = head[4] === 2;
  const little = head[5] === 1;
  const u16 = (buffer: Buffer, at: number): number =>
    little ? buffer.readUInt16LE(at) : buffer.readUInt16BE(at);
  const u32 = (buffer: Buffer, at: number): number =>
    little ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at);
  const u64 = (buffer: Buffer, at: number): number =>
    Number(little ? buffer.readBigUInt64LE(at) : buffer.readBigUInt64BE(at));
  const type = u16(head, 16);
  if (u16(head, 18) !== machine || (type !== 2 && type !== 3)) {
    throw invalidPackage(`"bootstrap" is a program for another machine (this one is ${process.arch})`);
  }
  // The layouts of the 32-bit and the 64-bit header: offset, entry size and count of the program headers.
  const [tableAt, entrySize, count] = is64
    ? [u64(head, 32), u16(head, 54), u16(head, 56)]
    : [u32(head, 28), u16(head, 42), u16(head, 44)];
  const table = await read(handle, tableAt, entrySize * count);
  if (count === 0 || entrySize < (is64 ? 56 : 32) || table.length < entrySize * count)
    throw invalidPackage('"bootstrap" is a damaged program');
  for (let at = 0; at < table.length; at += entrySize) {
    const segment = table.subarray(at, at + entrySize);
    const [offset, length] = is64 ? [u64(segment, 8), u64(segment, 32)] : [u32(segment, 4), u32(segment, 16)];
    const kind = u32(segment, 0);
    if (kind === PT_LOAD && offset + length > size)
      throw invalidPackage('"bootstrap" is a program cut short');
    if (kind === PT_INTERP) {
      const loader = await read(handle, offset, Math.min(length, 4096));
      await requireExecutable(loader.toString('utf8').replace(/\0.*$/s, ''));
    }
  }
}

async function requireExecutable(program: string): Promise<void> {
  try {
    await access(program, constants.X_OK);
  } catch (error) {
    throw invalidPackage(
      `"bootstrap" needs ${JSON.stringify(program.slice(0, 120))}, which this machine cannot run`,
      error,
    );
  }
}

async function read(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
