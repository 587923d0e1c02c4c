/** Any executable as an artifact: a compiled binary or a script with a shebang. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { FaasError } from '../core/errors.js';
import type { Artifact } from '../core/executor.js';
import { packageExecutableFor } from './for-target.js';
import { targetOf } from './targets/index.js';
import { packageFiles } from './zip.js';

export interface ExecutableOptions {
  readonly path: string;
  /** The cloud it is for, for example `aws-lambda`. Default: platforms of the custom-FaaS spec. */
  readonly target?: string;
}

const ELF = Buffer.from('\x7fELF', 'latin1');

/**
 * Packs one executable file: as `bootstrap`, mode 0755, or beside the entry that a `target` wants. It must speak the
 * bootstrap protocol: the request as JSON on stdin, the answer as JSON on stdout.
 * @throws {FaasError} CONFIG when the file is missing, not executable, or neither a Linux binary nor a script, or for
 * an unknown target.
 */
export async function packageExecutable(options: ExecutableOptions): Promise<Artifact> {
  const path = resolve(options.path);
  const bytes = await readExecutable(path);
  const fault = startFault(bytes);
  if (fault !== undefined) throw unusable(`${path} ${fault}`);
  if (options.target !== undefined) return packageExecutableFor(targetOf(options.target), path);
  return packageFiles([{ path: 'bootstrap', bytes, mode: 0o755 }]);
}

async function readExecutable(path: string): Promise<Buffer> {
  try {
    const { mode, isFile } = await stat(path).then((stats) => ({ mode: stats.mode, isFile: stats.isFile() }));
    if (!isFile) throw unusable(`${path} is not a regular file.`);
    if ((mode & 0o111) === 0) throw unusable(`${path} is not executable. Run chmod +x on it.`);
    return await readFile(path);
  } catch (cause) {
    if (FaasError.is(cause)) throw cause;
    throw unusable(
      `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
}

/** What a Linux kernel would say about starting these bytes, in plainer words. */
function startFault(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return 'is empty.';
  if (bytes.subarray(0, 4).equals(ELF)) return undefined;
  if (bytes.subarray(0, 2).toString('latin1') !== '#!') {
    return 'is neither a Linux binary (ELF) nor a script that starts with "#!". Build it for Linux, or add a shebang line.';
  }
  const firstLine = bytes.subarray(0, bytes.indexOf(0x0a) + 1 || bytes.length).toString('latin1');
  if (firstLine.endsWith('\r\n')) {
    return 'has Windows line ends: the kernel would look for an interpreter whose name ends in a carriage return. Convert it to LF.';
  }
  if (!/^#!\s*\//.test(firstLine)) return 'has a shebang line without the absolute path of an interpreter.';
  return undefined;
}

function unusable(message: string, cause?: unknown): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message, cause });
}
