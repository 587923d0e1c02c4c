/** What a zip holds, read from its central directory: names and sizes, nothing is unpacked. */
import { FaasError } from '../../core/errors.js';

export interface ZipIndex {
  readonly names: ReadonlySet<string>;
  /** The sum of the sizes that the entries state. */
  readonly unzippedBytes: number;
}

const END = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65_535;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;

/** @throws {FaasError} CONFIG when the bytes are no zip, or one of more than 4 GiB. */
export function indexZip(zip: Uint8Array): ZipIndex {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const names = new Set<string>();
  let unzippedBytes = 0;
  for (let entry = 0; entry < count; entry++) {
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY) throw broken();
    const nameLength = view.getUint16(at + 28, true);
    const name = zip.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength);
    names.add(Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString('utf8'));
    unzippedBytes += view.getUint32(at + 24, true);
    at += ENTRY_BYTES + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return { names, unzippedBytes };
}

/** The end record stands last, but for a comment. */
function findEnd(view: DataView): number {
  const first = Math.max(0, view.byteLength - END_BYTES - MAX_COMMENT_BYTES);
  for (let at = view.byteLength - END_BYTES; at >= first; at--) {
    if (view.getUint32(at, true) === END) return at;
  }
  throw broken();
}

function broken(): FaasError {
  return new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: 'The artifact is no zip, or is cut off. Make it with jobferry/packaging.',
  });
}
