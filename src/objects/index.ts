/** `jobferry/objects`: stores for bytes that fit into no request, and claims that stand for them. */
export { type Claim, isClaim, type PutOptions, putClaim, readClaim, readClaimBytes } from '../core/claim.js';
export type { ObjectBody, ObjectFacts, ObjectStore, StoreOptions } from '../core/object-store.js';
export { AzureBlobStore, type AzureBlobStoreOptions } from './azure-blob-store.js';
export { FolderStore } from './folder-store.js';
export { GcsStore, type GcsStoreOptions } from './gcs-store.js';
export { CLAIM_STORE, claimStore, openObjectStore } from './open.js';
export { providePeer } from './peers.js';
export { S3Store, type S3StoreOptions } from './s3-store.js';
export { type SweeperOptions, sweeper } from './sweeper.js';
