/** Chooses the strongest isolation that this machine offers, and says what it is. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';

import type { DataFolder } from '../store/data-folder.js';
import { cgroupTrees } from './cgroup-trees.js';
import { environmentTrees } from './environment-trees.js';
import { groupTrees } from './group-trees.js';
import type { Isolation, ProcessTrees, TreeIsolation } from './process-tree.js';
import { openSandbox, type Sandbox } from './sandbox.js';

/** `auto` takes the strongest; the others exist to see on one machine what another would do. */
export type TreeChoice = 'auto' | 'cgroup-v2' | Exclude<TreeIsolation['processTree'], 'cgroup'>;

/** `required` refuses to start without a sandbox, `best-effort` uses one where it works, `off` never does. */
export type SandboxChoice = 'required' | 'best-effort' | 'off';

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

/** @throws Error with the reason when a sandbox is required and there is none */
export async function chooseSandbox(
  trees: ProcessTrees,
  choice: SandboxChoice = 'best-effort',
  places?: readonly string[],
): Promise<{ readonly sandbox: Sandbox | undefined; readonly isolation: Isolation }> {
  const sandbox = choice === 'off' ? 'isolation is "off"' : await openSandbox(places);
  const held = trees.isolation;
  if (typeof sandbox !== 'string')
    return { sandbox, isolation: { mode: 'sandbox', ...held, network: 'none', seccomp: false } };
  if (choice === 'required') {
    throw new Error(
      `The platform was told to start only with a sandbox, and there is none: ${sandbox}. Install bubblewrap, ` +
        'or choose the isolation "best-effort".',
    );
  }
  const isolation: Isolation = {
    mode: 'process',
    ...held,
    network: 'host',
    seccomp: false,
    reason: sandbox,
  };
  return { sandbox: undefined, isolation };
}
