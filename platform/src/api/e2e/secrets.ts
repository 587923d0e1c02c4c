/** Secrets over the E2E door: names and times come back, values never. */

import { PlatformError } from '../../domain/errors.js';
import { isLabel } from '../../domain/function-id.js';
import type { SecretRecord } from '../../store/secret-store.js';
import type { DoorParts, Exchange } from '../door.js';
import type { Reply } from '../reply.js';
import * as body from './body.js';
import { namespaceOf } from './function-body.js';
import { readFields } from './functions.js';

const FIELDS = ['name', 'value', 'namespace'];

export async function create(exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const fields = await readFields(exchange, parts);
  body.refuseUnknown(fields, FIELDS);
  const namespace = namespaceOf(fields, parts.namespace);
  const name = body.requiredText(fields, 'name');
  return { status: 201, body: toJson(await parts.web.secrets.create(namespace, name, valueIn(fields))) };
}

/** The functions that use it are given the new value, by instances that replace theirs. */
export async function update(name: string, exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const fields = await readFields(exchange, parts);
  body.refuseUnknown(fields, FIELDS);
  const namespace = namespaceOf(fields, parts.namespace);
  const record = await parts.web.secrets.update(namespace, name, valueIn(fields));
  for (const fn of parts.web.usersOf(namespace, name)) parts.web.redeploy(fn.id);
  return { status: 200, body: toJson(record) };
}

export async function list(query: URLSearchParams, { web, namespace }: DoorParts): Promise<Reply> {
  const secrets = await web.secrets.list(inQuery(query, namespace));
  return { status: 200, body: secrets.map(toJson) };
}

export async function read(name: string, query: URLSearchParams, parts: DoorParts): Promise<Reply> {
  const namespace = inQuery(query, parts.namespace);
  const found = (await parts.web.secrets.list(namespace)).find((secret) => secret.name === name);
  if (found !== undefined) return { status: 200, body: toJson(found) };
  throw new PlatformError('NOT_FOUND', `There is no secret ${name.slice(0, 80)} in ${namespace}.`);
}

/** @throws PlatformError CONFLICT with the functions that use it */
export async function remove(name: string, query: URLSearchParams, parts: DoorParts): Promise<Reply> {
  const namespace = inQuery(query, parts.namespace);
  const users = parts.web.usersOf(namespace, name).map((fn) => fn.name);
  if (users.length > 0) {
    throw new PlatformError(
      'CONFLICT',
      `The secret ${name} is used by ${users.join(', ')}. Change them first.`,
      {
        details: { secret: name, functions: users },
      },
    );
  }
  await parts.web.secrets.delete(namespace, name);
  return { status: 200, body: { name, namespace, status: 'Deleted' } };
}

function valueIn(fields: body.Fields): Buffer {
  const value = body.text(fields, 'value');
  if (value === undefined) throw body.invalid('value', 'is missing');
  return Buffer.from(value);
}

function inQuery(query: URLSearchParams, fallback: string): string {
  const namespace = query.get('namespace') ?? fallback;
  if (isLabel(namespace)) return namespace;
  throw body.invalid('namespace', 'must be 1 to 63 characters of a-z, 0-9 and "-"');
}

function toJson({ name, namespace, createdAt }: SecretRecord): object {
  return { id: `${name}.${namespace}`, name, namespace, created_at: createdAt };
}
