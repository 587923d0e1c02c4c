/** The layout of the data folder, and what a start finds there from a platform that ended badly. */

import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

export interface DataFolder {
  readonly path: string;
  readonly recordFile: string;
  /** Finished code, one folder for each zip, named by its SHA-256. */
  readonly code: string;
  /** Uploads and half-extracted code; nothing here outlives the request that made it. */
  readonly incoming: string;
  /** The private folders of running calls (their HOME and TMPDIR), of this platform and of any before it. */
  readonly calls: string;
  /** This platform's part of `calls`: what looks after a killed platform must not touch its successor's calls. */
  readonly ownCalls: string;
  /** Secrets of functions; made when the first one comes. */
  readonly secrets: string;
  /** Names this run of the platform, apart from others on the same folder. */
  readonly instance: string;
}

export function dataFolderAt(path: string): DataFolder {
  const root = resolve(path);
  const instance = randomUUID().slice(0, 8);
  return {
    path: root,
    recordFile: join(root, 'platform.sqlite'),
    code: join(root, 'code'),
    incoming: join(root, 'incoming'),
    calls: join(root, 'calls'),
    ownCalls: join(root, 'calls', instance),
    secrets: join(root, 'secrets'),
    instance,
  };
}

/** Makes the root only; whoever then holds the record file's lock may go on to `prepareFolders`. */
export async function makeRoot(folder: DataFolder): Promise<void> {
  await mkdir(folder.path, { recursive: true, mode: 0o700 });
}

/** Makes the folders inside and empties those that never survive a start. Call it under the lock only. */
export async function prepareFolders(folder: DataFolder): Promise<void> {
  await rm(folder.incoming, { recursive: true, force: true });
  await rm(folder.calls, { recursive: true, force: true });
  for (const inner of [folder.code, folder.incoming, folder.ownCalls])
    await mkdir(inner, { recursive: true, mode: 0o700 });
  // Node looks for a package.json upwards: without this one a "type" above would decide how functions are read.
  await writeFile(join(folder.code, 'package.json'), '{}\n');
}
