/**
 * Where the sockets of instances can be reached: their folders may lie too deep for the path of a socket, and then a
 * link with a short name leads there.
 */

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SocketLink {
  /** Of the socket called `s` in the folder. */
  readonly path: string;
  remove(): Promise<void>;
}

/** Linux takes 107 bytes, macOS 103. */
const MAX_PATH_BYTES = 103;

export class SocketLinks {
  #folder: Promise<string> | undefined;

  async linkTo(folder: string): Promise<SocketLink> {
    const direct = join(folder, 's');
    if (Buffer.byteLength(direct) <= MAX_PATH_BYTES) return { path: direct, async remove() {} };
    this.#folder ??= mkdtemp(join(tmpdir(), 'jobferry-'));
    const link = join(await this.#folder, randomBytes(4).toString('hex'));
    await symlink(folder, link);
    return { path: join(link, 's'), remove: () => rm(link, { force: true }) };
  }

  async close(): Promise<void> {
    if (this.#folder !== undefined) await rm(await this.#folder, { recursive: true, force: true });
  }
}
