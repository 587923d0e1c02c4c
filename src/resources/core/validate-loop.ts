/** A file that holds itself, as an alias of YAML can: it has no end, neither here nor in a message. Pure. */

/** @returns the path at which a value holds one of those that it is in */
export function selfReference(
  value: unknown,
  path: readonly string[] = [],
  around: readonly unknown[] = [],
): readonly string[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (around.includes(value)) return path;
  for (const [key, part] of Object.entries(value)) {
    const found = selfReference(part, [...path, key], [...around, value]);
    if (found !== undefined) return found;
  }
  return undefined;
}
