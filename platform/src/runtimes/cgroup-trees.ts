/**
 * One cgroup for each call: no process can leave it, the kernel enforces and measures its memory, and everything in
 * it can be found and killed. Where version 1 splits controllers over hierarchies, a call has a group in each.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { systemCode } from '../domain/errors.js';
import { type CgroupHierarchy, openHierarchies } from './cgroup-mounts.js';
import { residentBytes } from './proc.js';
import {
  killUntilEmpty,
  type ProcessTree,
  type ProcessTrees,
  sigkill,
  type TreeIsolation,
  type TreeSpec,
  type TreeUsage,
} from './process-tree.js';
import { shellQuote } from './watchdog.js';

/** Kills and removes every call's group of the groups given as arguments, then those groups. */
const WATCHDOG = `
for group do
  tries=0
  while pids=$(cat "$group"/*/cgroup.procs 2>/dev/null) && [ -n "$pids" ] && [ $tries -lt 500 ]; do
    kill -9 $pids 2>/dev/null
    tries=$((tries + 1))
    sleep 0.01
  done
done
for group do rmdir "$group"/*/ "$group" 2>/dev/null; done`;

/**
 * @param family what the names of the groups of every platform on this data folder begin with
 * @param instance the rest of the name of this platform's group
 * @returns undefined where this machine lets us make no cgroups
 */
export function cgroupTrees(
  family: string,
  instance: string,
  versions?: readonly (1 | 2)[],
): ProcessTrees | undefined {
  const hierarchies = openHierarchies(`${family}${instance}`, versions);
  const first = hierarchies[0];
  if (first === undefined) return undefined;
  const isolation: TreeIsolation = {
    memory: first.limitsMemory ? (first.version === 1 ? 'cgroup-v1' : 'cgroup-v2') : 'sampled',
    processTree: 'cgroup',
  };
  return {
    isolation,
    create: (spec) => new CgroupTree(hierarchies, first, spec),
    async sweep() {
      for (const { group, version } of hierarchies) {
        const earlier = subgroups(dirname(group)).filter(
          (path) => path !== group && basename(path).startsWith(family),
        );
        for (const platform of earlier) {
          for (const call of subgroups(platform)) await removeGroup(call, version);
          await removeEmpty(platform);
        }
      }
    },
    watchdogScript: `set -- ${hierarchies.map(({ group }) => shellQuote(group)).join(' ')}${WATCHDOG}`,
    async close() {
      for (const { group } of hierarchies) await removeEmpty(group);
    },
  };
}

class CgroupTree implements ProcessTree {
  readonly joinFiles: readonly string[];
  readonly #groups: readonly { readonly path: string; readonly hierarchy: CgroupHierarchy }[];
  readonly #main: string;
  readonly #hierarchy: CgroupHierarchy;

  constructor(hierarchies: readonly CgroupHierarchy[], main: CgroupHierarchy, spec: TreeSpec) {
    this.#groups = hierarchies.map((hierarchy) => ({ hierarchy, path: join(hierarchy.group, spec.id) }));
    this.#main = join(main.group, spec.id);
    this.#hierarchy = main;
    for (const { path, hierarchy } of this.#groups) {
      mkdirSync(path);
      if (hierarchy.limitsTasks) writeFileSync(join(path, 'pids.max'), String(spec.maxTasks));
    }
    this.joinFiles = this.#groups.map(({ path }) => join(path, 'cgroup.procs'));
  }

  adopt(): void {
    // It joined by itself.
  }

  limitMemory(bytes: number): void {
    const { limitsMemory, version } = this.#hierarchy;
    if (!limitsMemory) return;
    if (version === 1) {
      writeFileSync(join(this.#main, 'memory.limit_in_bytes'), String(bytes));
      writeIfThere(join(this.#main, 'memory.memsw.limit_in_bytes'), String(bytes));
    } else {
      writeFileSync(join(this.#main, 'memory.max'), String(bytes));
      writeIfThere(join(this.#main, 'memory.swap.max'), '0');
      writeIfThere(join(this.#main, 'memory.oom.group'), '1');
    }
  }

  sampleMemoryBytes(): number {
    return pidsOf(readText(join(this.#main, 'cgroup.procs'))).reduce(
      (sum, pid) => sum + residentBytes(pid),
      0,
    );
  }

  usage(): TreeUsage {
    if (!this.#hierarchy.limitsMemory) return { outOfMemory: false };
    const isVersion1 = this.#hierarchy.version === 1;
    const peak = Number(
      readText(join(this.#main, isVersion1 ? 'memory.max_usage_in_bytes' : 'memory.peak')) || Number.NaN,
    );
    const events = readText(join(this.#main, isVersion1 ? 'memory.oom_control' : 'memory.events'));
    const outOfMemory = Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0) > 0;
    return Number.isFinite(peak) ? { peakMemoryBytes: peak, outOfMemory } : { outOfMemory };
  }

  async destroy(): Promise<boolean> {
    let isEmpty = true;
    for (const { path, hierarchy } of this.#groups)
      isEmpty = (await removeGroup(path, hierarchy.version)) && isEmpty;
    return isEmpty;
  }
}

/** Swap accounting is a choice of the kernel's owner; without it there is no such file. */
function writeIfThere(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'r+' });
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

async function removeGroup(path: string, version: 1 | 2): Promise<boolean> {
  const isEmpty = await killUntilEmpty(
    async () => pidsOf(await readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => '')),
    (pids) => {
      if (version === 2) writeIfThere(join(path, 'cgroup.kill'), '1');
      sigkill(pids);
    },
  );
  return isEmpty && (await removeEmpty(path));
}

/** The kernel may keep an empty group busy for a moment while the last process is put away. */
async function removeEmpty(path: string): Promise<boolean> {
  for (let pauseMs = 1; pauseMs <= 512; pauseMs *= 2) {
    try {
      await rmdir(path);
      return true;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return true;
    }
    await sleep(pauseMs);
  }
  return false;
}

function pidsOf(procs: string): number[] {
  return procs
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** None of a group that has gone: its own watchdog may be putting it away. */
function subgroups(group: string): string[] {
  try {
    const entries = readdirSync(group, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(group, entry.name));
  } catch {
    return [];
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
