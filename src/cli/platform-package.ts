/** The part of @jobferry/platform that the command line uses; loaded only by the commands that need it. */
import { usageError } from './exit-codes.js';

export interface PlatformPackage {
  startPlatform(options: {
    readonly host?: string;
    readonly port: number;
    readonly dataDir: string;
    readonly requireKey?: boolean;
    readonly isolation?: 'required' | 'best-effort' | 'off';
    /** Of functions that come through the E2E door. */
    readonly namespace?: string;
    readonly publicFunctions?: boolean;
    /** What URLs in answers begin with. */
    readonly publicUrl?: string;
    readonly callbackHosts?: readonly string[];
  }): Promise<{
    readonly url: string;
    readonly isolation: Isolation;
    close(): Promise<void>;
  }>;
  createKey(options: {
    readonly dataDir: string;
    readonly name: string;
    readonly rights?: readonly KeyRight[];
    readonly expiresAt?: Date;
  }): Promise<KeyRecord & { readonly key: string }>;
  listKeys(options: { readonly dataDir: string }): Promise<KeyRecord[]>;
  revokeKey(options: { readonly dataDir: string; readonly id: string }): Promise<boolean>;
}

export interface Isolation {
  readonly mode: string;
  readonly memory: string;
  readonly processTree: string;
  readonly network: string;
  /** Why it is not stronger. */
  readonly reason?: string;
}

export type KeyRight = 'read' | 'invoke' | 'deploy';

export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly rights: readonly KeyRight[];
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
}

// A variable, so that types do not depend on a built platform.
const PACKAGE: string = '@jobferry/platform';

/** @throws {FaasError} CONFIG that names the package when it is not installed. */
export async function loadPlatform(): Promise<PlatformPackage> {
  try {
    return await import(PACKAGE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw usageError(`The platform is not installed. Run: npm install ${PACKAGE}`);
  }
}
