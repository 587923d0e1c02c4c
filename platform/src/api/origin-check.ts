/**
 * A web page elsewhere can make a browser here send simple requests to a platform that needs no key. Browsers say
 * where such a request comes from; programs say nothing.
 */

import type { IncomingHttpHeaders } from 'node:http';

import { PlatformError } from '../domain/errors.js';

/** @throws PlatformError FORBIDDEN for a request of a page that is not the platform's own */
export function refuseForeignPage(headers: IncomingHttpHeaders, host: string): void {
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  const isForeign = origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
  if (!isForeign && site !== 'cross-site' && site !== 'same-site') return;
  throw new PlatformError(
    'FORBIDDEN',
    'A page of another site asked for this. Send the request from a program, or demand keys.',
  );
}
