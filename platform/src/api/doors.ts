/** The dialects the platform speaks: which door a path belongs to, and what the server needs of one. */

import type { KeyRight } from '../auth/keys.js';
import type { PlatformError } from '../domain/errors.js';
import type { Exchange } from './door.js';
import type { Reply } from './reply.js';

/** A request whose method and path are understood. */
export interface Visit {
  /** A key needs one of these; none for any key. `anyone` needs no key. */
  readonly rights: readonly KeyRight[] | 'anyone';
  answer(exchange: Exchange): Reply | Promise<Reply>;
}

export interface Door {
  /** May a key come as the password of Basic auth? Browsers send that by themselves once they know it. */
  readonly takesPasswords: boolean;
  /** @throws PlatformError NOT_FOUND, METHOD_NOT_ALLOWED, INVALID_NAME */
  open(method: string, url: string): Visit;
  /** How this dialect tells a failure. */
  refuse(error: PlatformError): Reply;
}

export interface Doors {
  readonly spec: Door;
  /** By the first part of the path. */
  readonly others: Readonly<Record<string, Door>>;
}

export function doorAt(url: string, { spec, others }: Doors): Door {
  const first = /^\/([^/?]*)/.exec(url)?.[1] ?? '';
  return (Object.hasOwn(others, first) ? others[first] : undefined) ?? spec;
}
