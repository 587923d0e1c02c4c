/**
 * Bubblewrap around a function: process, user, network, mount, IPC, host name and cgroup namespaces of its own, no
 * capabilities, and a read-only root with nothing but the system's programs and libraries and the function's code.
 * It can write to its private folder, and to a /tmp and a /dev/shm of 64 MiB in memory each. System calls are not
 * filtered.
 */

import { execFile } from 'node:child_process';
import { accessSync, constants, lstatSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { messageOf } from '../domain/errors.js';

export interface Sandbox {
  /** The command up to what depends on the function. */
  commandFor(home: string): readonly string[];
  /**
   * What follows it, before the program to run.
   * @param shown what else can be read inside, and under which path
   */
  around(codeFolder: string, shown?: readonly Shown[]): readonly string[];
}

/** A folder or file of this machine that can be read inside, and not written. */
export interface Shown {
  readonly from: string;
  readonly to: string;
}

/** Nobody, inside; the platform's own user outside. */
const INNER_ID = '65534';
const TMP_BYTES = String(64 * 1024 * 1024);
const PROBE_TIMEOUT_MS = 10_000;
const PLACES = ['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap'];
/** Links into /usr on most systems, folders on the others. */
const SYSTEM_FOLDERS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** What programs need to find their libraries and the time; nothing about users or hosts, and no private key. */
const SYSTEM_FILES = [
  '/etc/alternatives',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/localtime',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
];

/**
 * Tries the sandbox for real, with a program of the platform's own.
 * @param places where bwrap may stand
 * @returns the sandbox, or in words why there is none
 */
export async function openSandbox(places: readonly string[] = PLACES): Promise<Sandbox | string> {
  if (process.platform !== 'linux') return 'bubblewrap needs Linux';
  const bwrap = places.find(isExecutable);
  if (bwrap === undefined) return 'bubblewrap (bwrap) is not installed';
  const sandbox = sandboxOf(bwrap);
  const folder = mkdtempSync(join(tmpdir(), 'jobferry-probe-'));
  try {
    // The launcher opens descriptor 3; here nobody does.
    const command = [...sandbox.commandFor(folder), ...sandbox.around(folder), process.execPath, '--version'];
    const probe = ['-c', 'exec "$@" 3> /dev/null', 'probe', ...command];
    await promisify(execFile)('/bin/sh', probe, { cwd: '/', env: {}, timeout: PROBE_TIMEOUT_MS });
    return sandbox;
  } catch (error) {
    return `${bwrap} does not work here: ${firstComplaint(error)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sandboxOf(bwrap: string): Sandbox {
  const isolated = [
    ...['--unshare-all', '--unshare-user', '--uid', INNER_ID, '--gid', INNER_ID],
    ...['--disable-userns', '--cap-drop', 'ALL', '--die-with-parent', '--new-session'],
  ];
  const system = [
    ...['--ro-bind', '/usr', '/usr', ...SYSTEM_FOLDERS.flatMap(systemFolder)],
    ...SYSTEM_FILES.flatMap((file) => ['--ro-bind-try', file, file]),
    ...[
      '--proc',
      '/proc',
      '--dev',
      '/dev',
      '--size',
      TMP_BYTES,
      '--tmpfs',
      '/dev/shm',
      '--remount-ro',
      '/dev',
    ],
    ...['--size', TMP_BYTES, '--tmpfs', '/tmp'],
    ...['--ro-bind', process.execPath, process.execPath],
  ];
  return {
    commandFor: (home) => [bwrap, '--json-status-fd', '3', ...isolated, ...system, '--bind', home, home],
    around: (code, shown = []) => [
      ...[{ from: code, to: code }, ...shown].flatMap(({ from, to }) => ['--ro-bind', from, to]),
      ...['--remount-ro', '/', '--chdir', code, '--'],
    ],
  };
}

function systemFolder(path: string): string[] {
  try {
    return lstatSync(path).isSymbolicLink()
      ? ['--symlink', readlinkSync(path), path]
      : ['--ro-bind', path, path];
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function firstComplaint(error: unknown): string {
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  return stderr.split('\n').find((line) => line !== '') ?? messageOf(error);
}
