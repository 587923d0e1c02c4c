/**
 * Linux without writable cgroups: the processes of a call are those that carry its private folder as TMPDIR in their
 * environment. A process that cleans its own environment before it starts others hides them; a cgroup would not.
 */

import { processesWithEnvironment, residentBytes } from './proc.js';
import {
  killUntilEmpty,
  type ProcessTree,
  type ProcessTrees,
  sigkill,
  type TreeSpec,
  type TreeUsage,
} from './process-tree.js';
import { shellQuote } from './watchdog.js';

/**
 * @param callsFolder where the calls of every platform on this data folder have their folders
 * @param ownCallsFolder this platform's part of it
 */
export function environmentTrees(callsFolder: string, ownCallsFolder: string): ProcessTrees {
  return {
    isolation: { memory: 'sampled', processTree: 'environment-scan' },
    create: (spec) => new EnvironmentTree(spec),
    async sweep() {
      await killUntilEmpty(() => processesWithEnvironment(`TMPDIR=${callsFolder}/`), sigkill);
    },
    // grep names the environ files that hold the prefix; the pid is their third part.
    watchdogScript: `
for try in 1 2 3 4 5; do
  pids=$(grep -lsaF ${shellQuote(`TMPDIR=${ownCallsFolder}/`)} /proc/[0-9]*/environ | cut -d / -f 3)
  [ -z "$pids" ] && break
  kill -9 $pids 2>/dev/null
  sleep 0.05
done`,
    async close() {},
  };
}

class EnvironmentTree implements ProcessTree {
  readonly joinFiles = [];
  readonly #mark: string;

  constructor(spec: TreeSpec) {
    this.#mark = `TMPDIR=${spec.home}\0`;
  }

  adopt(): void {
    // It was born with the mark.
  }

  limitMemory(): void {
    // Whoever samples it holds the limit.
  }

  sampleMemoryBytes(): number {
    return this.#members().reduce((sum, pid) => sum + residentBytes(pid), 0);
  }

  usage(): TreeUsage {
    return { outOfMemory: false };
  }

  async destroy(): Promise<boolean> {
    return killUntilEmpty(() => this.#members(), sigkill);
  }

  #members(): number[] {
    return processesWithEnvironment(this.#mark);
  }
}
