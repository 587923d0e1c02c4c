/**
 * Without keys, only this machine may call. A web page elsewhere can make a browser here call us under a name of its
 * own that resolves to a loopback address (DNS rebinding); the Host header tells.
 */

import { PlatformError } from '../domain/errors.js';

const LOOPBACK_HOST = /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?$/i;
const LOOPBACK_ADDRESS = /^(localhost|127(\.[0-9]{1,3}){3}|::1)$/;

/** @throws Error for an address other machines could reach */
export function requireLoopback(address: string): void {
  if (LOOPBACK_ADDRESS.test(address)) return;
  throw new Error(
    `The platform cannot listen on ${address}: it has no keys yet, so anybody who reaches it could run code. Use 127.0.0.1, ::1 or localhost.`,
  );
}

/** @throws PlatformError FORBIDDEN */
export function checkHostHeader(host: string | undefined): string {
  if (host !== undefined && LOOPBACK_HOST.test(host)) return host;
  throw new PlatformError(
    'FORBIDDEN',
    'The Host header must name this machine: localhost, 127.0.0.1 or [::1].',
  );
}
