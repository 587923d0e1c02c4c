/** Reads JSON that came from outside: nothing is believed before it is looked at. */

export type Fields = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `undefined` for what is no JSON. */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** `undefined` for what is no JSON object. */
export function parseObject(body: Uint8Array): Fields | undefined {
  const value = parseJson(body);
  return isObject(value) ? value : undefined;
}

/** `undefined` for what is no text, and for an empty one. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
