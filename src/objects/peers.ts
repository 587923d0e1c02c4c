/**
 * The clouds' own packages, loaded when a store first needs one. Their names stand in variables, so that a bundle of a
 * function does not take all of them in; a function that needs one brings it along with `providePeer`.
 */
import { FaasError } from '../core/errors.js';

const provided = new Map<string, unknown>();

/**
 * Hands over a package that cannot be found at run time, as in a bundle:
 * `import * as s3 from '@aws-sdk/client-s3'; providePeer('@aws-sdk/client-s3', s3);`
 */
export function providePeer(name: string, module: unknown): void {
  provided.set(name, module);
}

/** @throws {FaasError} CONFIG that names the package to install */
export async function importPeer<Module>(name: string): Promise<Module> {
  const given = provided.get(name);
  if (given !== undefined) return given as Module;
  try {
    return (await import(name)) as Module;
  } catch (cause) {
    const { code, message } = cause as { code?: string; message?: string };
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message?.includes(name)) throw cause;
    throw new FaasError({
      code: 'CONFIG',
      executed: 'no',
      message: `This object store needs ${name}. Install it: npm install ${name}; in a packaged function, import it and hand it to providePeer.`,
      cause,
    });
  }
}
