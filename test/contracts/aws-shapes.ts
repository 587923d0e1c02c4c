/** Checks values against the shapes of an AWS service model (botocore's service-2.json). */

export interface Shape {
  readonly type: string;
  readonly members?: Readonly<Record<string, Member>>;
  readonly member?: { readonly shape: string };
  readonly key?: { readonly shape: string };
  readonly value?: { readonly shape: string };
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly payload?: string;
  readonly exception?: boolean;
  readonly error?: { readonly httpStatusCode: number };
}

export interface Member {
  readonly shape: string;
  readonly location?: 'uri' | 'querystring' | 'header' | 'headers' | 'statusCode';
  readonly locationName?: string;
}

export type Shapes = Readonly<Record<string, Shape>>;

/** What is wrong with `value`, each with its path; empty for a valid one. */
export function shapeFaults(shapes: Shapes, name: string, value: unknown, path: string): string[] {
  const shape = shapes[name];
  if (shape === undefined) return [`${path}: the model has no shape ${name}`];
  switch (shape.type) {
    case 'structure':
      return structureFaults(shapes, shape, value, path);
    case 'list': {
      if (!Array.isArray(value)) return [`${path}: not a list`];
      const inner = shape.member?.shape ?? '';
      return [
        ...sizeFaults(shape, value.length, path),
        ...value.flatMap((item, index) => shapeFaults(shapes, inner, item, `${path}[${index}]`)),
      ];
    }
    case 'map': {
      if (!isObject(value)) return [`${path}: not a map`];
      return Object.entries(value).flatMap(([key, item]) => [
        ...shapeFaults(shapes, shape.key?.shape ?? '', key, `${path}{${key}}`),
        ...shapeFaults(shapes, shape.value?.shape ?? '', item, `${path}.${key}`),
      ]);
    }
    case 'string':
      return stringFaults(shape, value, path);
    case 'integer':
    case 'long':
      return Number.isInteger(value)
        ? rangeFaults(shape, value as number, path)
        : [`${path}: not an integer`];
    case 'double':
    case 'float':
      return typeof value === 'number' ? rangeFaults(shape, value, path) : [`${path}: not a number`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${path}: not true or false`];
    case 'timestamp':
      return typeof value === 'number' || typeof value === 'string' ? [] : [`${path}: not a time`];
    case 'blob':
      return typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value) ? [] : [`${path}: not base64`];
    default:
      return [`${path}: the checker does not know the type ${shape.type}`];
  }
}

function structureFaults(shapes: Shapes, shape: Shape, value: unknown, path: string): string[] {
  if (!isObject(value)) return [`${path}: not an object`];
  const members = shape.members ?? {};
  const missing = (shape.required ?? []).filter((name) => value[name] === undefined);
  return [
    ...missing.map((name) => `${path}.${name}: required and missing`),
    ...Object.entries(value).flatMap(([name, item]) => {
      const member = members[name];
      if (member === undefined) return [`${path}.${name}: the model has no such member`];
      return item === null ? [] : shapeFaults(shapes, member.shape, item, `${path}.${name}`);
    }),
  ];
}

function stringFaults(shape: Shape, value: unknown, path: string): string[] {
  if (typeof value !== 'string') return [`${path}: not a string`];
  if (shape.enum !== undefined)
    return shape.enum.includes(value) ? [] : [`${path}: ${value} is none of the enum`];
  const faults = sizeFaults(shape, value.length, path);
  if (shape.pattern === undefined) return faults;
  return new RegExp(`^(?:${shape.pattern})$`, 'u').test(value)
    ? faults
    : [...faults, `${path}: does not match ${shape.pattern}`];
}

function sizeFaults({ min = 0, max = Infinity }: Shape, size: number, path: string): string[] {
  return size >= min && size <= max ? [] : [`${path}: ${size} long, allowed ${min} to ${max}`];
}

function rangeFaults({ min = -Infinity, max = Infinity }: Shape, value: number, path: string): string[] {
  return value >= min && value <= max ? [] : [`${path}: ${value}, allowed ${min} to ${max}`];
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
