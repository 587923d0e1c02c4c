/** `/system/secrets`: names come back, values never. */

import { PlatformError } from '../../domain/errors.js';
import type { DoorParts, Exchange } from '../door.js';
import type { Reply } from '../reply.js';
import type { Fields } from './deployment.js';
import { namespaceOf, readObject } from './functions.js';
import { empty, json, text } from './replies.js';

const STATUSES: Readonly<Record<string, number>> = { CONFLICT: 409, NOT_FOUND: 404, INVALID_NAME: 422 };

export async function list(query: URLSearchParams, parts: DoorParts): Promise<Reply> {
  const secrets = await parts.web.secrets.list(namespaceOf(query.get('namespace'), parts));
  return json(secrets.map(({ name, namespace }) => ({ name, namespace })));
}

export async function change(
  how: 'create' | 'update' | 'delete',
  query: URLSearchParams,
  exchange: Exchange,
  parts: DoorParts,
): Promise<Reply> {
  const fields = await readObject(exchange, parts);
  const name = fields?.['name'];
  if (fields === undefined || typeof name !== 'string' || name === '') return empty(400);
  const namespace = namespaceOf(fields['namespace'] ?? query.get('namespace'), parts);
  try {
    if (how === 'delete') return await remove(name, namespace, parts);
    const value = valueIn(fields);
    if (value === undefined) return text(400, 'value or rawValue is missing');
    await parts.web.secrets[how](namespace, name, value);
    // Running functions get it by instances that replace theirs.
    if (how === 'update') for (const fn of parts.web.usersOf(namespace, name)) parts.web.redeploy(fn.id);
    return empty(202);
  } catch (error) {
    const status = error instanceof PlatformError ? STATUSES[error.code] : undefined;
    if (status === undefined) throw error;
    return empty(status);
  }
}

async function remove(name: string, namespace: string, { web }: DoorParts): Promise<Reply> {
  const users = web.usersOf(namespace, name).map((fn) => fn.name);
  if (users.length > 0) return text(409, `secret ${name} is used by ${users.join(', ')}`);
  await web.secrets.delete(namespace, name);
  return empty(202);
}

/** `value` is text; `rawValue` is base64 and counts where there is no text. */
function valueIn({ value, rawValue }: Fields): Buffer | undefined {
  if (typeof value === 'string' && value !== '') return Buffer.from(value);
  if (typeof rawValue === 'string' && rawValue !== '') return Buffer.from(rawValue, 'base64');
  return typeof value === 'string' ? Buffer.alloc(0) : undefined;
}
