/** If-Match and If-None-Match: what must be true of a function before it is changed. */

import { PlatformError } from './errors.js';

export interface Precondition {
  /** One of these versions is deployed; `*` for any. */
  readonly ifMatch?: readonly string[] | '*';
  /** Nothing is deployed under this name. */
  readonly mustBeNew?: boolean;
}

const ETAG = /^\s*(W\/)?"([\x21\x23-\x7e]*)"\s*$/;

/** @throws PlatformError INVALID_REQUEST that names the header */
export function parsePrecondition(
  ifMatch: string | undefined,
  ifNoneMatch: string | undefined,
): Precondition {
  if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== '*')
    throw new PlatformError('INVALID_REQUEST', 'If-None-Match can only be "*" here.');
  return {
    ...(ifMatch !== undefined && {
      ifMatch: ifMatch.trim() === '*' ? '*' : ifMatch.split(',').map(parseTag),
    }),
    ...(ifNoneMatch !== undefined && { mustBeNew: true }),
  };
}

/** @throws PlatformError PRECONDITION_FAILED with the version that is deployed */
export function requirePrecondition(
  { ifMatch, mustBeNew }: Precondition,
  etag: string | undefined,
  functionId: string,
): void {
  const details = { function_id: functionId, ...(etag !== undefined && { etag }) };
  if (mustBeNew && etag !== undefined)
    throw new PlatformError('PRECONDITION_FAILED', `Function ${functionId} is there already.`, { details });
  if (ifMatch === undefined) return;
  if (etag === undefined)
    throw new PlatformError('PRECONDITION_FAILED', `There is no function ${functionId}.`, { details });
  if (ifMatch !== '*' && !ifMatch.includes(etag)) {
    const message = `Function ${functionId} is deployed in another version. Read it again and decide anew.`;
    throw new PlatformError('PRECONDITION_FAILED', message, { details });
  }
}

/** A weak tag matches nothing: it does not promise the same bytes. */
function parseTag(text: string): string {
  const [, weak, tag] = ETAG.exec(text) ?? [];
  if (tag === undefined)
    throw new PlatformError('INVALID_REQUEST', 'If-Match must be "*" or tags in double quotes.');
  return weak === undefined ? tag : '';
}
