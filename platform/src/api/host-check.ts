/**
 * Without keys, only this machine may call. A web page elsewhere can make a browser here call us under a name of its
 * own that resolves to a loopback address (DNS rebinding); the Host header tells.
 */

import { PlatformError } from '../domain/errors.js';

const LOOPBACK_HOST = /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?$/i;
const LOOPBACK_ADDRESS = /^(localhost|127(\.[0-9]{1,3}){3}|::1)$/;
const ANY_HOST = /^([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?$/i;

/** Can only this machine reach the address? */
export function isLoopback(address: string): boolean {
  return LOOPBACK_ADDRESS.test(address);
}

/**
 * @param rawHeaders names and values in turn, as they came
 * @param isExposed is the platform meant for other machines? Then a key stands in for the check of the name
 * @throws PlatformError INVALID_REQUEST, FORBIDDEN
 */
export function checkHostHeader(rawHeaders: readonly string[], isExposed: boolean): string {
  const hosts = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'host');
  const [host] = hosts;
  if (host === undefined || hosts.length > 1)
    throw new PlatformError('INVALID_REQUEST', 'There must be exactly one Host header.');
  if ((isExposed ? ANY_HOST : LOOPBACK_HOST).test(host)) return host;
  throw new PlatformError(
    'FORBIDDEN',
    isExposed
      ? 'The Host header must be a host name or an address.'
      : 'The Host header must name this machine: localhost, 127.0.0.1 or [::1].',
  );
}
