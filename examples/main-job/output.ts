/** Writes compressed copies, each beside where its source would be. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { below, type RelativePath } from './files.ts';

export async function writeCopy(out: string, path: RelativePath, bytes: Uint8Array): Promise<void> {
  const target = below(Buffer.from(out), Buffer.concat([path, Buffer.from('.br')]));
  await mkdir(target.subarray(0, target.lastIndexOf('/')), { recursive: true });
  // Renamed into place, so that an interrupted run leaves no half copy under the name of a whole one.
  const unfinished = below(Buffer.from(out), Buffer.from(`.unfinished-${process.pid}-${counter++}`));
  try {
    await writeFile(unfinished, bytes);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

let counter = 0;
