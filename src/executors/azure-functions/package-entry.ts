/** Whether a package has our entry: to anything else a ping is a request like any other, and runs its code. */

/** The file by which packages of `jobferry/packaging` say that they know pings. */
export const ENTRY_MARK = 'jobferry-azure-functions.json';

/** False for what is no zip. */
export async function hasEntryIn(zip: Uint8Array): Promise<boolean> {
  const { default: JSZip } = await import('jszip');
  try {
    return (await JSZip.loadAsync(zip)).file(ENTRY_MARK) !== null;
  } catch {
    return false;
  }
}
