/**
 * A berth is where an instance will run: a tree of its own and a shell in it that waits to be told what to become. It
 * serves any function. A few are kept ready, so that a cold call does not pay for them.
 */

import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { messageOf } from '../domain/errors.js';
import type { Log } from '../domain/log.js';
import { launcherIn } from './launch.js';
import type { ProcessTree, ProcessTrees } from './process-tree.js';
import type { Sandbox } from './sandbox.js';
import type { SpawnedProcess, Spawner } from './spawner.js';

export interface Berth {
  /** Names its tree and its folder. */
  readonly id: string;
  readonly folder: string;
  /** Inside: HOME and TMPDIR of what runs here. */
  readonly home: string;
  readonly tree: ProcessTree;
  readonly process: SpawnedProcess;
}

export interface BerthParts {
  readonly trees: ProcessTrees;
  readonly sandbox: Sandbox | undefined;
  readonly spawner: Spawner;
  /** Where berths have their folders. */
  readonly callsFolder: string;
  readonly maxTasks: number;
  readonly log: Log;
}

export class Berths {
  readonly #parts: BerthParts;
  readonly #size: number;
  readonly #ready = new Map<string, Berth>();
  readonly #leaving = new Set<Promise<unknown>>();
  #filling = 0;
  #isClosed = false;

  /** @param size how many to keep ready */
  constructor(parts: BerthParts, size: number) {
    this.#parts = parts;
    this.#size = size;
  }

  get ready(): number {
    return this.#ready.size;
  }

  /** One that is ready, or a new one. @throws what stands in the way, with the system's code */
  async take(): Promise<Berth> {
    for (const [id, berth] of this.#ready) {
      this.#ready.delete(id);
      return berth;
    }
    return this.#make();
  }

  /** Makes ready what is missing. Called when a call has ended, to be out of the way of those that begin. */
  fill(): void {
    while (!this.#isClosed && this.#ready.size + this.#filling < this.#size) {
      this.#filling++;
      this.#leave(
        this.#make()
          .then((berth) => this.#keep(berth))
          .catch((error) => this.#parts.log('warn', 'no-berth', { reason: messageOf(error) }))
          .finally(() => this.#filling--),
      );
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const berth of this.#ready.values()) this.#leave(discard(berth));
    this.#ready.clear();
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
  }

  #keep(berth: Berth): Promise<boolean> | undefined {
    if (this.#isClosed) return discard(berth);
    this.#ready.set(berth.id, berth);
    berth.process.ended.then(() => {
      if (this.#ready.delete(berth.id)) this.#leave(discard(berth));
    });
    return undefined;
  }

  async #make(): Promise<Berth> {
    const { trees, sandbox, spawner, callsFolder, maxTasks } = this.#parts;
    const id = randomUUID();
    const folder = join(callsFolder, id);
    const home = join(folder, 'home');
    let tree: ProcessTree | undefined;
    try {
      await mkdir(home, { recursive: true, mode: 0o700 });
      tree = trees.create({ id, home, maxTasks });
      const launcher = launcherIn(folder, tree.joinFiles, sandbox?.commandFor(home) ?? []);
      // The mark by which a platform without cgroups finds it.
      const process = await spawner.spawn({ ...launcher, cwd: '/', env: { TMPDIR: home } });
      tree.adopt(process.pid);
      return { id, folder, home, tree, process };
    } catch (error) {
      await tree?.destroy();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  #leave(departure: Promise<unknown>): void {
    const left = departure.finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}

/** Kills what is in the berth and removes its folder. False when a process would not die in time. */
export async function discard({ folder, process, tree }: Berth): Promise<boolean> {
  process.kill();
  const isEmpty = await tree.destroy();
  await rm(folder, { recursive: true, force: true });
  return isEmpty;
}
