/** Chooses the strongest way of holding a call's processes together that this machine offers. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';

import type { DataFolder } from '../store/data-folder.js';
import { cgroupTrees } from './cgroup-trees.js';
import { environmentTrees } from './environment-trees.js';
import { groupTrees } from './group-trees.js';
import type { Isolation, ProcessTrees } from './process-tree.js';

/** `auto` takes the strongest; the others exist to see on one machine what another would do. */
export type TreeChoice = 'auto' | 'cgroup-v2' | Exclude<Isolation['processTree'], 'cgroup'>;

export function chooseTrees(folder: DataFolder, choice: TreeChoice = 'auto'): ProcessTrees {
  // The family comes from the data folder, so that the next platform on it finds what this one left.
  const family = `jobferry-${createHash('sha256').update(folder.path).digest('hex').slice(0, 12)}-`;
  switch (choice) {
    case 'auto':
      return (
        cgroupTrees(family, folder.instance) ??
        (existsSync('/proc/self/environ') ? environmentTrees(folder.calls, folder.ownCalls) : groupTrees())
      );
    case 'cgroup-v2': {
      const trees = cgroupTrees(family, folder.instance, [2]);
      if (trees === undefined) throw new Error('This machine has no writable cgroup of version 2.');
      return trees;
    }
    case 'environment-scan':
      return environmentTrees(folder.calls, folder.ownCalls);
    case 'process-group':
      return groupTrees();
  }
}
