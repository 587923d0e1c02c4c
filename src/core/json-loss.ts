/** What JSON.stringify changes or drops without a word, found before it does. */

/** Objects that JSON writes as `{}`, whatever they hold. */
const WRITTEN_EMPTY = new Set(
  ['Map', 'Set', 'WeakMap', 'WeakSet', 'Promise', 'RegExp', 'Error', 'ArrayBuffer'].map(
    (name) => `[object ${name}]`,
  ),
);
/** Deeper values, and those that contain themselves, are left to JSON.stringify. */
const MAX_QUICK_DEPTH = 64;

/**
 * JSON text of `value`, or undefined for an `undefined`. Properties that are `undefined` are left out, and what has a
 * `toJSON`, such as a Date, is written as that says: both are JSON's own rules.
 * @throws {TypeError} naming the place of what JSON would lose, or of a value that contains itself
 */
export function losslessJson(value: unknown): string | undefined {
  // Walking plain data first is cheaper than a replacer, which JSON.stringify calls for each single value.
  if (isPlainData(value, 0)) return JSON.stringify(value);
  return JSON.stringify(value, function (this: unknown, key: string, written: unknown) {
    const loss = lossOf(this, key, written);
    if (loss === undefined) return written;
    throw new TypeError(`${loss} at ${pathTo(value, this, key)} cannot be written as JSON`);
  });
}

function isPlainData(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth > MAX_QUICK_DEPTH) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      if (!isPlainData(value[index], depth + 1)) return false;
    }
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    const property = (value as Record<string, unknown>)[key];
    if (property !== undefined && !isPlainData(property, depth + 1)) return false;
  }
  return true;
}

/** What would be lost, in words; undefined when nothing would. */
function lossOf(holder: unknown, key: string, value: unknown): string | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? undefined : String(value);
    case 'bigint':
    case 'function':
    case 'symbol':
      return typeof value;
    case 'undefined':
      return Array.isArray(holder) ? 'undefined in an array' : undefined;
    case 'object': {
      // toJSON has been asked by now, and of a Date that is none it makes null.
      if (value === null) return isDate(holder, key) ? 'invalid Date' : undefined;
      if (ArrayBuffer.isView(value)) return value.constructor.name;
      const tag = Object.prototype.toString.call(value);
      return WRITTEN_EMPTY.has(tag) ? tag.slice(8, -1) : undefined;
    }
  }
  return undefined;
}

function isDate(holder: unknown, key: string): boolean {
  return (holder as Record<string, unknown>)[key] instanceof Date;
}

/** `$.items[3].at`: where `holder[key]` is in `root`. Looked for only once something is wrong. */
function pathTo(root: unknown, holder: unknown, key: string): string {
  const seen = new Set<unknown>();
  const find = (value: unknown, path: string): string | undefined => {
    if (value === holder) return path + step(holder, key);
    if (typeof value !== 'object' || value === null || seen.has(value)) return undefined;
    seen.add(value);
    for (const [name, inner] of Object.entries(value)) {
      const found = find(inner, path + step(value, name));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  // The root itself is held by an object that JSON.stringify made; one that a toJSON made cannot be found.
  return find(root, '$') ?? (key === '' ? '$' : `"${key}"`);
}

function step(holder: unknown, key: string): string {
  return Array.isArray(holder) ? `[${key}]` : `.${key}`;
}
