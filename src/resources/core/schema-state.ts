/** Is this a state? Said before anything is done with it: a file that was cut short or edited must not look like an empty one. Pure. */
import { quoted } from './fault.js';

type Fields = Readonly<Record<string, unknown>>;
type Kind = 'text' | 'number' | 'object' | 'list of text';
type Shape = Readonly<Record<string, Kind | `${Kind}?`>>;

export const STATE_VERSION = 4;

const FILE: Shape = {
  serial: 'number',
  lineage: 'text',
  secret_key: 'text',
  endpoints: 'object?',
  outputs: 'object?',
};
const RESOURCE: Shape = { name: 'text', provider: 'text' };
const INSTANCE: Shape = { attributes: 'object', dependencies: 'list of text?', provider: 'text?' };
const ATTRIBUTES: Readonly<Record<string, Shape>> = {
  function: {
    name: 'text',
    runtime: 'text',
    id: 'text?',
    namespace: 'text?',
    job_id: 'number?',
    code_sha256: 'text?',
    config: 'object',
    environment: 'object',
    secrets: 'list of text',
    labels: 'object',
    annotations: 'object',
  },
  secret: { name: 'text', id: 'text?', namespace: 'text?', value_hash: 'text' },
};
const STATUSES: readonly unknown[] = [undefined, 'creating', 'tainted', 'updating', 'unfinished'];

/** @returns what is wrong, each with its place; empty for a state that can be worked with */
export function stateFaults(value: unknown): string[] {
  if (!isObject(value)) return [`it is ${quoted(value)} and no object`];
  const faults = misfits('', value, FILE);
  const { resources = [] } = value;
  if (!Array.isArray(resources)) return [...faults, 'resources is no list'];
  return [
    ...faults,
    ...resources.flatMap((one: unknown, index) => resourceFaults(`resources[${index}]`, one)),
  ];
}

function resourceFaults(at: string, value: unknown): string[] {
  if (!isObject(value)) return [`${at} is no object`];
  const { type, name, instances } = value;
  const shape = ATTRIBUTES[String(type)];
  if (shape === undefined) {
    // Left out, it would be made anew beside the one that is there.
    return [
      `${at} is of the type ${quoted(type)}, which is unknown here: a newer jobferry may have written it`,
    ];
  }
  const place = `${at} (${String(type)}.${String(name)})`;
  const faults = misfits(place, value, RESOURCE);
  if (!Array.isArray(instances)) return [...faults, `${place} has no instances`];
  const current = instances.filter((one) => !isObject(one) || one['deposed'] === undefined);
  if (current.length !== 1) faults.push(`${place} has ${current.length} current instances and not one`);
  return [
    ...faults,
    ...instances.flatMap((one: unknown, index) => instanceFaults(`${place}.instances[${index}]`, one, shape)),
  ];
}

function instanceFaults(at: string, value: unknown, attributes: Shape): string[] {
  if (!isObject(value)) return [`${at} is no object`];
  const faults = misfits(at, value, INSTANCE);
  if (!STATUSES.includes(value['status'])) faults.push(`${at}.status is ${quoted(value['status'])}`);
  if (isObject(value['attributes']))
    faults.push(...misfits(`${at}.attributes`, value['attributes'], attributes));
  return faults;
}

function misfits(at: string, fields: Fields, shape: Shape): string[] {
  return Object.entries(shape).flatMap(([field, kind]) => {
    const value = fields[field] ?? undefined;
    const wanted = kind.replace('?', '') as Kind;
    if (value === undefined ? kind.endsWith('?') : FITS[wanted](value)) return [];
    const place = at === '' ? field : `${at}.${field}`;
    return [value === undefined ? `${place} is missing` : `${place} is no ${wanted}`];
  });
}

const FITS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  object: isObject,
  'list of text': (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
};

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
