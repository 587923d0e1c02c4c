/** Optional packages: loaded when they are first needed, and asked for by name when they are missing. */
import { FaasError } from '../../core/errors.js';

/**
 * Imports an optional peer.
 * @param who is named in the error, for example `LambdaExecutor`
 * @param otherwise what else would do, in words that follow a comma
 * @throws {FaasError} CONFIG that names the package to install.
 */
export async function importPeer<Module>(
  who: string,
  name: string,
  load: () => Promise<Module>,
  otherwise = '',
): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const { code, message } = cause as { code?: string; message?: string };
    // Anything else is a fault inside the package, and speaks for itself.
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message?.includes(name)) throw cause;
    const advice = otherwise === '' ? '' : `, ${otherwise}`;
    throw new FaasError({
      code: 'CONFIG',
      executed: 'no',
      message: `${who} needs ${name} for this. Install it: npm install ${name}${advice}.`,
      cause,
    });
  }
}
