/** Names of objects: what every store takes, and nothing that leads elsewhere. */
import { FaasError } from '../core/errors.js';

const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** @throws {FaasError} INVALID_REQUEST for a name that could be a path, or that some store would refuse */
export function checkKey(key: string): string {
  if (KEY.test(key) && !key.includes('..')) return key;
  throw new FaasError({
    code: 'INVALID_REQUEST',
    executed: 'no',
    message: `${JSON.stringify(key.slice(0, 80))} is no name for an object: use up to 128 letters, digits, dots, dashes and underscores.`,
  });
}
