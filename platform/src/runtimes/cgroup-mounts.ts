/** Finds the cgroup hierarchies of this machine in which the platform may make groups of its own. */

import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export interface CgroupHierarchy {
  readonly version: 1 | 2;
  /** The platform's own group in it; each call gets a group inside. */
  readonly group: string;
  readonly limitsMemory: boolean;
  readonly limitsTasks: boolean;
}

interface Mount {
  readonly path: string;
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
}

/**
 * Makes the platform's groups. The memory hierarchy comes first; empty where nothing is writable.
 * @param name of the platform's group
 * @param versions which kinds to look at
 */
export function openHierarchies(name: string, versions: readonly (1 | 2)[] = [1, 2]): CgroupHierarchy[] {
  const mounts = readMounts().filter((mount) => versions.includes(mount.version));
  const memory = openVersion1(mounts, 'memory', name);
  if (memory !== undefined) {
    const tasks = openVersion1(mounts, 'pids', name);
    return tasks === undefined || tasks.group === memory.group ? [memory] : [memory, tasks];
  }
  const unified = mounts.find((mount) => mount.version === 2);
  const hierarchy = unified === undefined ? undefined : openVersion2(unified, name);
  return hierarchy === undefined ? [] : [hierarchy];
}

function readMounts(): Mount[] {
  return lines('/proc/self/mounts').flatMap((line): Mount[] => {
    const [, path = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup') return [{ path, version: 1, controllers: options.split(',') }];
    return type === 'cgroup2' ? [{ path, version: 2, controllers: [] }] : [];
  });
}

function openVersion1(
  mounts: readonly Mount[],
  controller: 'memory' | 'pids',
  name: string,
): CgroupHierarchy | undefined {
  const mount = mounts.find(
    (candidate) => candidate.version === 1 && candidate.controllers.includes(controller),
  );
  if (mount === undefined) return undefined;
  const group = makeGroup(join(placeIn(mount, controller), name));
  if (group === undefined) return undefined;
  return {
    version: 1,
    group,
    limitsMemory: controller === 'memory',
    limitsTasks: mount.controllers.includes('pids'),
  };
}

/**
 * A group of version 2 has a memory limit only if its parent passes the controller on, and a parent that holds
 * processes may not. So the platform's own group is tried first, then its parent.
 */
function openVersion2(mount: Mount, name: string): CgroupHierarchy | undefined {
  const own = placeIn(mount, '');
  const parents = own === mount.path ? [own] : [own, dirname(own)];
  const opened = parents.flatMap((parent): CgroupHierarchy[] => {
    passOn(parent);
    const group = makeGroup(join(parent, name));
    if (group === undefined) return [];
    passOn(group);
    const controllers = (lines(join(group, 'cgroup.subtree_control'))[0] ?? '').split(' ');
    return [
      {
        version: 2,
        group,
        limitsMemory: controllers.includes('memory'),
        limitsTasks: controllers.includes('pids'),
      },
    ];
  });
  const best = opened.find((hierarchy) => hierarchy.limitsMemory) ?? opened[0];
  for (const other of opened) if (other !== best) removeGroup(other.group);
  return best;
}

function passOn(group: string): void {
  for (const controller of ['+memory', '+pids']) {
    try {
      writeFileSync(join(group, 'cgroup.subtree_control'), controller);
    } catch {
      // Not allowed, not there, or the group holds processes: then that controller is not for us.
    }
  }
}

/** Where this process stands in a hierarchy, so that limits laid upon the platform bind its functions too. */
function placeIn(mount: Mount, controller: string): string {
  for (const line of lines('/proc/self/cgroup')) {
    const [, controllers = '', ...path] = line.split(':');
    if (!controllers.split(',').includes(controller)) continue;
    const place = resolve(join(mount.path, path.join(':')));
    if (existsSync(place)) return place;
  }
  return mount.path;
}

function makeGroup(path: string): string | undefined {
  try {
    mkdirSync(path, { recursive: true });
    // A folder that can be made may still be one nobody can be moved into.
    accessSync(join(path, 'cgroup.procs'), constants.W_OK);
    return path;
  } catch {
    removeGroup(path);
    return undefined;
  }
}

function removeGroup(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // It was never made, or another platform's calls are still in it.
  }
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}
