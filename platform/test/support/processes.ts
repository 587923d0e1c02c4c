/** What the tests see of processes, through /proc. */

import { readdirSync, readFileSync } from 'node:fs';

export function readProc(pid: number, file: 'status' | 'stat' | 'environ' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** A zombie nobody has collected yet runs no more. */
export function isRunning(pid: number): boolean {
  const status = readProc(pid, 'status');
  return status !== '' && !/^State:\s+Z/m.test(status);
}

export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

export function parentOf(pid: number): number {
  const stat = readProc(pid, 'stat');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** The spawners of the platforms that run in this process. */
export function spawnersOf(parent: number): number[] {
  return allPids().filter(
    (pid) => parentOf(pid) === parent && readProc(pid, 'cmdline').includes('spawner-process'),
  );
}

/** The processes whose environment has this variable. */
export function pidsWith(variable: string): number[] {
  return allPids().filter((pid) => `\0${readProc(pid, 'environ')}`.includes(`\0${variable}\0`));
}
