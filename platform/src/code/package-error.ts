/** A zip the platform will not run, and the reason in words. */

import { PlatformError } from '../domain/errors.js';

export function invalidPackage(reason: string, cause?: unknown): PlatformError {
  return new PlatformError('INVALID_PACKAGE', `The zip cannot be deployed: ${reason}.`, {
    details: { reason },
    cause,
  });
}

export function packageTooLarge(what: string, limit: number): PlatformError {
  return new PlatformError('PAYLOAD_TOO_LARGE', `The zip has more than ${limit} ${what}.`, {
    details: { limit },
  });
}

/** An entry's name as it may stand in a message: printable, and not longer than a line. */
export function printable(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
}
