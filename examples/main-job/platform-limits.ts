/** What the platform takes, in its own words. */

/** The most bytes of one call's input, from `GET /api`. */
export async function maxArgsBytes(platformUrl: string, signal: AbortSignal): Promise<number> {
  const response = await fetch(`${platformUrl}/api`, { signal });
  const { limits } = (await response.json()) as { limits: { max_args_bytes: number } };
  return limits.max_args_bytes;
}
