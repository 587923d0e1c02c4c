/** Files -> requests: two jobs a file, read when the runner asks for them, so that memory stays bounded. */
import type { JobRequest } from 'jobferry';
import { below, type Found, type RelativePath, readWithin, reasonOf } from './files.ts';
import { checksum, compress } from './jobs.ts';

export interface FileEvents {
  skipped(path: RelativePath, what: string): void;
  /** None of the file's jobs will be made. */
  fileFailed(path: RelativePath, reason: string): void;
  fileRead(bytes: number): void;
}

export async function* requests(
  found: AsyncIterable<Found>,
  folder: string,
  maxBytes: number,
  events: FileEvents,
): AsyncGenerator<JobRequest> {
  const root = Buffer.from(folder);
  for await (const entry of found) {
    if (entry.kind === 'skipped') events.skipped(entry.path, entry.what);
    else if (entry.kind === 'unreadable') events.fileFailed(entry.path, entry.reason);
    else {
      const bytes = await readWithin(below(root, entry.path), maxBytes).catch((error) => {
        events.fileFailed(entry.path, reasonOf(error));
      });
      if (bytes === undefined) continue;
      events.fileRead(bytes.length);
      // Metadata comes back with the outcome, wherever the job ran. latin1 keeps every byte of the name.
      const metadata = { path: entry.path.toString('latin1') };
      yield checksum.call(bytes, { metadata });
      yield compress.call(bytes, { metadata });
    }
  }
}

/** The file an outcome belongs to. */
export function pathOf(metadata: Readonly<Record<string, string>>): RelativePath {
  return Buffer.from(metadata['path'] ?? '', 'latin1');
}
