/** A claim stands for bytes that lie in an object store: name, length and hash, as plain data. */
import { createHash, type Hash, randomUUID } from 'node:crypto';
import { FaasError } from './errors.js';
import type { ObjectBody, ObjectStore, StoreOptions } from './object-store.js';

/** What stands for the bytes: plain data, small enough for any request. */
export interface Claim {
  /** The object's name in the store. */
  readonly claim: string;
  /** How many bytes it stands for. */
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** How `putClaim` writes. */
export interface PutOptions extends StoreOptions {
  /** How long objects live in this store. One past half of it is written again. Default: never written again. */
  readonly ttlSecs?: number;
}

/**
 * Stores `body`, and returns what stands for it. Bytes are named by their hash, so that the same bytes are stored
 * once; a stream has its hash only at its end and is named at random.
 */
export async function putClaim(
  store: ObjectStore,
  body: ObjectBody,
  options: PutOptions = {},
): Promise<Claim> {
  if (!(body instanceof Uint8Array)) return putStream(store, body, options);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const claim = { claim: sha256, bytes: body.length, sha256 };
  const there = await store.head(sha256, options);
  const freshSecs = (options.ttlSecs ?? Infinity) / 2;
  const isFresh = there !== undefined && Date.now() - there.writtenAt.getTime() <= freshSecs * 1000;
  if (!isFresh || there.bytes !== body.length) await store.put(sha256, body, options);
  return claim;
}

async function putStream(
  store: ObjectStore,
  body: AsyncIterable<Uint8Array>,
  options: StoreOptions,
): Promise<Claim> {
  const name = `stream-${randomUUID()}`;
  const hash = createHash('sha256');
  let bytes = 0;
  await store.put(name, counted(), options);
  return { claim: name, bytes, sha256: hash.digest('hex') };

  async function* counted(): AsyncIterable<Uint8Array> {
    for await (const chunk of body) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  }
}

/**
 * The bytes that a claim stands for, piece by piece. Whoever acts on a piece before the end acts on bytes that are not
 * verified yet.
 * @throws {FaasError} NOT_FOUND when the object is gone, PROTOCOL at the end when length or hash differ
 */
export async function* readClaim(
  store: ObjectStore,
  claim: Claim,
  options: StoreOptions = {},
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of store.get(claim.claim, options)) {
    bytes += chunk.length;
    if (bytes > claim.bytes) break;
    hash.update(chunk);
    yield chunk;
  }
  verify(store, claim, bytes, hash);
}

/** The same in one piece, for what fits into memory. */
export async function readClaimBytes(
  store: ObjectStore,
  claim: Claim,
  options: StoreOptions = {},
): Promise<Uint8Array> {
  // Filled as it comes: gathering the pieces first would hold everything twice.
  const whole = new Uint8Array(claim.bytes);
  let offset = 0;
  for await (const chunk of readClaim(store, claim, options)) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

function verify(
  { url }: ObjectStore,
  { claim, bytes: expected, sha256 }: Claim,
  bytes: number,
  hash: Hash,
): void {
  if (bytes === expected && hash.digest('hex') === sha256) return;
  throw new FaasError({
    code: 'PROTOCOL',
    executed: 'no',
    message: `The object ${claim} in ${url} is not what was stored: ${bytes} bytes of ${expected}, or another SHA-256. Send the call again.`,
  });
}

const NAME = /^(?:[0-9a-f]{64}|stream-[0-9a-f-]{36})$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** True for a name that `putClaim` gives: in a bucket with other things, only these are swept. */
export function isClaimName(name: string): boolean {
  return NAME.test(name);
}

/** True for a claim that this package made: nothing else is ever looked up in a store. */
export function isClaim(value: unknown): value is Claim {
  if (typeof value !== 'object' || value === null) return false;
  const { claim, bytes, sha256 } = value as Record<string, unknown>;
  return (
    typeof claim === 'string' &&
    isClaimName(claim) &&
    Number.isSafeInteger(bytes) &&
    (bytes as number) >= 0 &&
    typeof sha256 === 'string' &&
    SHA256.test(sha256)
  );
}
