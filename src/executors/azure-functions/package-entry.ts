/** Whether a package has our entry: to anything else a ping is a request like any other, and runs its code. */

/** What `jobferry/packaging` calls the bundle of a handler, or of what starts an executable. */
const BUNDLE = 'index.mjs';
/** The header of a ping: code that knows pings has its name in it, minified or not. */
const PING_HEADER = 'x-faas-warm';

/** False for what is no zip. */
export async function hasEntryIn(zip: Uint8Array): Promise<boolean> {
  const { default: JSZip } = await import('jszip');
  try {
    const bundle = (await JSZip.loadAsync(zip)).file(BUNDLE);
    return (await bundle?.async('nodebuffer'))?.includes(PING_HEADER) ?? false;
  } catch {
    return false;
  }
}
