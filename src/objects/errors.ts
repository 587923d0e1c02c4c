/** What went wrong with a store -> FaasError. A store runs no function, so `executed` is always `no` here. */
import { FaasError, type FaasErrorCode } from '../core/errors.js';
import type { StoreOptions } from '../core/object-store.js';
import { cancelled } from '../core/scope.js';

export interface Doing {
  /** The store's address; holds no secret. */
  readonly url: string;
  /** As in "cannot be read". */
  readonly verb: 'read' | 'written' | 'listed' | 'deleted' | 'looked up';
  readonly key?: string;
}

/** @param status the HTTP status, where there is one */
export function storeError(
  doing: Doing,
  status: number | undefined,
  cause: unknown,
  { signal }: StoreOptions = {},
): FaasError {
  if (FaasError.is(cause)) return cause;
  if (signal?.aborted) {
    const message = textOf(doing, 'nobody waits for it any more');
    const isLate = (signal.reason as Error | undefined)?.name === 'TimeoutError';
    return cancelled(signal.reason).with({ executed: 'no', message, ...(isLate && { code: 'TIMEOUT' }) });
  }
  const code = codeOf(status);
  const hidden = status === 403 && doing.verb === 'read' ? HIDDEN : '';
  const message = textOf(doing, (ADVICE[code] ?? reasonOf(cause)) + hidden);
  return new FaasError({ code, executed: 'no', status, message, cause });
}

/** The error of an object that is not there. */
export function missing(doing: Doing): FaasError {
  const message = textOf(doing, 'it is not there: its time to live is over, or it was stored elsewhere');
  return new FaasError({ code: 'NOT_FOUND', executed: 'no', message });
}

/**
 * Is a look-up that ended so an answer of "not known here"? S3 and Google say 403 of what is not there to those who
 * may not list the bucket. Where it is a real denial, the read or write that follows fails with AUTH.
 */
export function isUnknown(status: number | undefined): boolean {
  return status === 404 || status === 403;
}

const ADVICE: Partial<Record<FaasErrorCode, string>> = {
  AUTH: 'the credentials are missing, wrong, or lack the permission',
  NOT_FOUND: 'the bucket, container or object is not there',
  THROTTLED: 'the store asks to slow down',
};

const HIDDEN = '; or it is not there, which a store may tell only those who may list';

function codeOf(status: number | undefined): FaasErrorCode {
  if (status === undefined) return 'UNAVAILABLE';
  if (status === 401 || status === 403) return 'AUTH';
  if (status === 404) return 'NOT_FOUND';
  if (status === 429 || status === 503) return 'THROTTLED';
  return status >= 500 ? 'UNAVAILABLE' : 'INVALID_REQUEST';
}

function textOf({ url, verb, key }: Doing, why: string): string {
  const what = key === undefined ? url : `The object ${key} in ${url}`;
  return `${what} cannot be ${verb}: ${why}.`;
}

function reasonOf(cause: unknown): string {
  // A failed fetch hides the reason one level down.
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const text = inner instanceof Error ? inner.message || inner.name : String(inner);
  return (text.split('\n')[0] ?? '').slice(0, 300);
}
