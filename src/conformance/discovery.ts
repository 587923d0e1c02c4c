/** What the platform says of itself before any case runs. */
import { FaasError } from '../core/errors.js';
import { isObject } from './expect.js';
import { NoReply, type Reply, send } from './http.js';
import { FEATURES, type Feature } from './types.js';

export interface Platform {
  readonly spec?: string;
  readonly name?: string;
  readonly features: ReadonlySet<Feature>;
  /** The reply to `GET /api`. */
  readonly api: Reply;
  /** A declared limit in bytes, seconds or lines. */
  limit(name: string): number | undefined;
}

/** @throws FaasError UNAVAILABLE when nobody answers */
export async function readPlatform(
  base: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Platform> {
  let api: Reply;
  try {
    api = await send(base, 'GET', '/api', { headers, signal, timeoutMs: 10_000 });
  } catch (error) {
    if (!(error instanceof NoReply)) throw error;
    throw new FaasError({
      code: 'UNAVAILABLE',
      executed: 'no',
      message: `No platform answers at ${base.origin}: ${error.seen}. Start it, or correct the URL.`,
      cause: error,
    });
  }
  const body = bodyOf(api);
  const listed = Array.isArray(body['features']) ? body['features'] : [];
  const limits = isObject(body['limits']) ? body['limits'] : {};
  const { spec, platform } = body;
  return {
    ...(typeof spec === 'string' && { spec }),
    ...(typeof platform === 'string' && { name: platform }),
    features: new Set(FEATURES.filter((feature) => listed.includes(feature))),
    api,
    limit(name) {
      const value = limits[name];
      return typeof value === 'number' ? value : undefined;
    },
  };
}

/** A 1.0 platform has no such route; whatever else it answers there is no description. */
function bodyOf(api: Reply): Record<string, unknown> {
  if (api.status !== 200) return {};
  try {
    return api.json();
  } catch {
    return {};
  }
}
