/** Checks HTTP exchanges against an AWS service model of the rest-json protocol: nothing outside it passes. */
import { readFileSync } from 'node:fs';
import { isObject, type Member, type Shape, type Shapes, shapeFaults } from './aws-shapes.js';

interface OperationModel {
  readonly name: string;
  readonly http: { readonly method: string; readonly requestUri: string; readonly responseCode: number };
  readonly input?: { readonly shape: string };
  readonly output?: { readonly shape: string };
  readonly errors?: readonly { readonly shape: string }[];
}

interface ServiceModel {
  readonly operations: Readonly<Record<string, OperationModel>>;
  readonly shapes: Shapes;
}

export interface WireRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface WireReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Of signing and of the SDK itself: part of no operation. */
const GENERAL_HEADERS = /^x-amz-(date|security-token|content-sha256|user-agent)$/;
/** Refusals that every AWS service can give and no model lists (API reference, "Common errors"). */
const COMMON_ERRORS =
  /^(AccessDenied|ExpiredToken|IncompleteSignature|InternalFailure|InvalidSignature|MissingAuthenticationToken|NotAuthorized|OptInRequired|RequestExpired|ServiceUnavailable|Throttling|UnrecognizedClient|Validation)(Exception)?$/;

export class AwsModel {
  readonly #model: ServiceModel;

  constructor(path: string) {
    this.#model = JSON.parse(readFileSync(path, 'utf8')) as ServiceModel;
  }

  /** Error types with their status that an operation can answer with. */
  errorsOf(operation: string): Map<string, number> {
    const errors = this.#model.operations[operation]?.errors ?? [];
    return new Map(errors.map(({ shape }) => [shape, this.#model.shapes[shape]?.error?.httpStatusCode ?? 0]));
  }

  requestFaults(request: WireRequest): string[] {
    const [path = '', query = ''] = request.target.split('?', 2) as [string, string?];
    const found = this.#find(request.method, path);
    if (found === undefined) return [`${request.method} ${path}: no operation of the model`];
    const { operation, labels } = found;
    const shape = this.#shape(operation.input?.shape);
    const members = Object.entries(shape.members ?? {});
    const at = (location: Member['location']) => members.filter(([, member]) => member.location === location);
    const faults = at('uri').flatMap(([, member]) =>
      shapeFaults(
        this.#model.shapes,
        member.shape,
        labels.get(member.locationName ?? ''),
        `${operation.name} path`,
      ),
    );
    const known = new Map(at('querystring').map(([, member]) => [member.locationName, member]));
    for (const [name, value] of new URLSearchParams(query)) {
      const member = known.get(name);
      if (member === undefined) faults.push(`${operation.name} query: no parameter ${name}`);
      else faults.push(...this.#textFaults(member, value, `${operation.name} query ${name}`));
    }
    const headers = new Map(at('header').map(([, member]) => [member.locationName?.toLowerCase(), member]));
    for (const [name, value] of Object.entries(request.headers)) {
      const member = headers.get(name);
      if (member !== undefined)
        faults.push(...this.#textFaults(member, String(value), `${operation.name} header ${name}`));
      else if (name.startsWith('x-amz-') && !GENERAL_HEADERS.test(name))
        faults.push(`${operation.name}: no header ${name}`);
    }
    return [...faults, ...this.#bodyFaults(operation.name, shape, request.body, false)];
  }

  replyFaults(request: WireRequest, reply: WireReply): string[] {
    const path = request.target.split('?', 1)[0] ?? '';
    const operation = this.#find(request.method, path)?.operation;
    if (operation === undefined) return [];
    if (reply.status >= 400) return this.#refusalFaults(operation, reply);
    const shape = this.#shape(operation.output?.shape);
    const members = Object.values(shape.members ?? {});
    // An operation that returns its status as a member may have others than the one it states.
    const anyStatus = members.some(({ location }) => location === 'statusCode');
    const faults =
      anyStatus || reply.status === operation.http.responseCode
        ? []
        : [`${operation.name}: answered ${reply.status}, the model says ${operation.http.responseCode}`];
    const known = new Set(
      members
        .filter(({ location }) => location === 'header')
        .map(({ locationName }) => locationName?.toLowerCase()),
    );
    for (const name of Object.keys(reply.headers)) {
      if (name.startsWith('x-amz-') && !known.has(name))
        faults.push(`${operation.name}: the reply has no header ${name}`);
    }
    return [...faults, ...this.#bodyFaults(`${operation.name} reply`, shape, reply.body, true)];
  }

  #refusalFaults({ name, errors = [] }: OperationModel, reply: WireReply): string[] {
    const type = reply.headers['x-amzn-errortype'] ?? '';
    if (COMMON_ERRORS.test(type)) return [];
    if (!errors.some(({ shape }) => shape === type))
      return [`${name}: does not answer with ${type === '' ? 'a body of no type' : type}`];
    const shape = this.#shape(type);
    const faults =
      shape.error?.httpStatusCode === reply.status ? [] : [`${name}: ${type} with status ${reply.status}`];
    const { __type: _, ...body } = JSON.parse(reply.body.toString('utf8')) as Record<string, unknown>;
    const located = Object.entries(shape.members ?? {}).filter(([, { location }]) => location !== undefined);
    for (const [member] of located) delete body[member];
    return [...faults, ...shapeFaults(this.#model.shapes, type, body, `${name} ${type}`)];
  }

  #bodyFaults(name: string, shape: Shape, body: Buffer, isReply: boolean): string[] {
    if (shape.payload !== undefined) return []; // bytes of the function's own
    const inBody = Object.entries(shape.members ?? {}).filter(([, { location }]) => location === undefined);
    if (inBody.length === 0)
      return body.length === 0 || body.toString() === '{}' ? [] : [`${name}: must have no body`];
    if (body.length === 0)
      return isReply || (shape.required ?? []).every((field) => shape.members?.[field]?.location)
        ? []
        : [`${name}: has no body`];
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (!isObject(value)) return [`${name}: the body is no object`];
    const names = new Set(inBody.map(([member]) => member));
    const located = Object.keys(value).filter(
      (member) => member in (shape.members ?? {}) && !names.has(member),
    );
    const { required = [], members = {} } = shape;
    const missing = required.filter((member) => names.has(member) && value[member] === undefined);
    return [
      ...located.map((member) => `${name}: ${member} does not belong into the body`),
      ...missing.map((member) => `${name}.${member}: required and missing`),
      ...Object.entries(value).flatMap(([member, item]) => {
        const model = members[member];
        if (model === undefined) return [`${name}.${member}: the model has no such member`];
        return item === null ? [] : shapeFaults(this.#model.shapes, model.shape, item, `${name}.${member}`);
      }),
    ];
  }

  /** A parameter or header: text that stands for its type. */
  #textFaults({ shape }: Member, text: string, path: string): string[] {
    const { type } = this.#shape(shape);
    if (type === 'list') return [];
    const value = type === 'integer' ? Number(text) : type === 'boolean' ? text === 'true' : text;
    return shapeFaults(this.#model.shapes, shape, value, path);
  }

  #shape(name: string | undefined): Shape {
    return (name === undefined ? undefined : this.#model.shapes[name]) ?? { type: 'structure' };
  }

  #find(
    method: string,
    path: string,
  ): { operation: OperationModel; labels: Map<string, string> } | undefined {
    for (const operation of Object.values(this.#model.operations)) {
      if (operation.http.method !== method) continue;
      const names: string[] = [];
      const pattern = operation.http.requestUri
        .split('?', 1)[0]
        ?.replace(/\{(\w+)\+?\}/g, (_all, name: string) => {
          names.push(name);
          return '([^/]+)';
        });
      const match = new RegExp(`^${pattern}/?$`).exec(path);
      if (match === null) continue;
      return {
        operation,
        labels: new Map(names.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? '')])),
      };
    }
    return undefined;
  }
}
