/** Builds and pushes the image of a function with the container program of this machine. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FaasError } from '../../core/errors.js';
import { type ImageBuild, PROVIDER } from './options.js';

export interface DockerImageOptions {
  /** Without a tag, for example `registry.example.com/team/jobs`. The tag is made of the artifact's hash. */
  readonly repository: string;
  /** Default true: a cluster pulls images. */
  readonly push?: boolean;
  /** Anything that takes docker's arguments. Default `docker`. */
  readonly program?: string;
  /** For example `linux/amd64`. Default: the program's own. */
  readonly platform?: string;
}

const STDERR_TAIL = 1000;

/**
 * For `openfaas.image`.
 * @throws {FaasError} (from what it returns) CONFIG with the last words of the program
 */
export function dockerImage(options: DockerImageOptions): (build: ImageBuild) => Promise<string> {
  const { repository, push = true, program = 'docker', platform } = options;
  return async ({ functionName, zip, sha256, signal }) => {
    const reference = `${repository}:${sha256.slice(0, 12)}`;
    const folder = await mkdtemp(join(tmpdir(), 'jobferry-image-'));
    try {
      await unpack(zip, folder);
      const forPlatform = platform === undefined ? [] : ['--platform', platform];
      await run(program, ['build', ...forPlatform, '-t', reference, folder], functionName, signal);
      if (push) await run(program, ['push', reference], functionName, signal);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return reference;
  };
}

async function unpack(bytes: Uint8Array, folder: string): Promise<void> {
  const { default: JSZip } = await import('jszip');
  const zip = await JSZip.loadAsync(bytes);
  for (const [name, file] of Object.entries(zip.files)) {
    if (file.dir) continue;
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await file.async('nodebuffer'), {
      mode: Number(file.unixPermissions ?? 0o644) & 0o777,
    });
  }
}

function run(
  program: string,
  args: readonly string[],
  functionName: string,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], signal });
    let tail = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString('utf8')).slice(-STDERR_TAIL);
    });
    const fail = (how: string, cause?: unknown) => {
      if (signal.aborted && FaasError.is(signal.reason)) return reject(signal.reason);
      const said = tail.trim() === '' ? '' : `: ${tail.trim()}`;
      const message = `\`${program} ${args[0]}\` for ${functionName} ${how}${said}`;
      reject(
        new FaasError({ code: 'CONFIG', executed: 'no', provider: PROVIDER, functionName, message, cause }),
      );
    };
    child.on('error', (cause) => fail(`cannot be started (${cause.message})`, cause));
    child.on('close', (code) => (code === 0 ? resolve() : fail(`ended with exit code ${code}`)));
  });
}
