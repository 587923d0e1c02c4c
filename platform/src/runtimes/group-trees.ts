/**
 * The last resort, for systems without /proc: the process group of the bootstrap. A process that starts a session of
 * its own (setsid) leaves it, and nobody looks after a platform that was killed.
 */

import { spawnSync } from 'node:child_process';

import {
  killUntilEmpty,
  type ProcessTree,
  type ProcessTrees,
  sigkill,
  type TreeUsage,
} from './process-tree.js';

export function groupTrees(): ProcessTrees {
  return {
    isolation: { memory: 'sampled', processTree: 'process-group' },
    create: () => new GroupTree(),
    async sweep() {},
    watchdogScript: undefined,
    async close() {},
  };
}

class GroupTree implements ProcessTree {
  readonly joinFiles = [];
  #leader: number | undefined;

  adopt(pid: number): void {
    this.#leader = pid;
  }

  limitMemory(): void {
    // Whoever samples it holds the limit.
  }

  sampleMemoryBytes(): number {
    return groupMembers(this.#leader).reduce((sum, member) => sum + member.residentBytes, 0);
  }

  usage(): TreeUsage {
    return { outOfMemory: false };
  }

  async destroy(): Promise<boolean> {
    const leader = this.#leader;
    if (leader === undefined || !groupExists(leader)) return true;
    return killUntilEmpty(
      () => (groupExists(leader) ? [leader] : []),
      () => sigkill([-leader]),
    );
  }
}

function groupExists(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return true;
  } catch {
    return false;
  }
}

function groupMembers(leader: number | undefined): { readonly residentBytes: number }[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pgid=,rss='], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [group, kib] = line.trim().split(/\s+/).map(Number);
    return group === leader && kib !== undefined ? [{ residentBytes: kib * 1024 }] : [];
  });
}
