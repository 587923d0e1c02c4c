/** The little the platform reads from Linux's /proc. Everything here answers "nothing" for a process that ended. */

import { readdirSync, readFileSync } from 'node:fs';

/** Memory of a process in bytes as it is now. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`));
  return kib === null ? 0 : Number(kib[1]) * 1024;
}

/** The processes whose environment has an entry that begins with `prefix`. */
export function processesWithEnvironment(prefix: string): number[] {
  return allProcesses().filter((pid) => `\0${read(`/proc/${pid}/environ`)}`.includes(`\0${prefix}`));
}

function allProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
