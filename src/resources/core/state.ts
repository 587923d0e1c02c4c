/** What is known of the resources that were made here, shaped like version 4 of the state files people know. Pure. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Address, DesiredFunction, DesiredSecret } from './model.js';

/** Of a function: what was asked for, and what the provider added. */
export type FunctionAttributes = Omit<DesiredFunction, 'type' | 'address' | 'provider'> & Computed;
export type SecretAttributes = Omit<DesiredSecret, 'type' | 'address' | 'provider'> &
  Pick<Computed, 'id' | 'created_at'>;

export interface Computed {
  /** The provider's own; undefined while a create is under way. */
  readonly id?: string | undefined;
  readonly invoke_url?: string | undefined;
  /** `running`, `failed`, … see `FunctionStatus`. */
  readonly status?: string | undefined;
  readonly version?: string | undefined;
  /** The provider's own hash of the code that was sent, however it counts: another one means other code. */
  readonly remote_code_sha256?: string | undefined;
  readonly created_at?: string | undefined;
  readonly updated_at?: string | undefined;
  /** Where the provider counts. */
  readonly invocation_count?: number | undefined;
}

interface ResourceBase {
  readonly address: Address;
  readonly provider: string;
  /**
   * `creating`: the request went out and no answer was kept. `tainted`: all was sent and it was not seen to run; it is
   * replaced unless it runs by then. `updating`: an update went out, and nobody noted what of it arrived. `unfinished`: what
   * arrived is noted, and it was not seen to run since.
   */
  readonly status?: 'creating' | 'tainted' | 'updating' | 'unfinished' | undefined;
  /** Addresses that must be there before it. */
  readonly dependencies: readonly Address[];
}

export interface FunctionResource extends ResourceBase {
  readonly type: 'function';
  readonly attributes: FunctionAttributes;
}

export interface SecretResource extends ResourceBase {
  readonly type: 'secret';
  readonly attributes: SecretAttributes;
  /** Older ones under this address, which are deleted when no function uses them any more. */
  readonly deposed?:
    | readonly { readonly provider: string; readonly attributes: SecretAttributes }[]
    | undefined;
}

export type Resource = FunctionResource | SecretResource;

export interface State {
  readonly version: 4;
  /** Grows with every write: a saved plan holds for one serial only. */
  readonly serial: number;
  /** The same over the life of the state. */
  readonly lineage: string;
  /** Key of the hashes of secrets. */
  readonly secret_key: string;
  /** Provider -> the URL at which it made what is known here; only where there can be several. */
  readonly endpoints: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, { readonly value: unknown; readonly type: 'string' }>>;
  readonly resources: ReadonlyMap<Address, Resource>;
}

export function emptyState(): State {
  return {
    version: 4,
    serial: 0,
    lineage: randomUUID(),
    secret_key: randomBytes(32).toString('hex'),
    endpoints: {},
    outputs: {},
    resources: new Map(),
  };
}

/** With one resource put in, or taken out. */
export function withResource(state: State, address: Address, resource: Resource | undefined): State {
  const resources = new Map(state.resources);
  if (resource === undefined) resources.delete(address);
  else resources.set(address, resource);
  return { ...state, resources };
}

export function stateToJson(state: State): string {
  const resources = [...state.resources.values()]
    .sort((a, b) => (a.address < b.address ? -1 : 1))
    .map((resource) => {
      const { type, address, provider, attributes, status, dependencies } = resource;
      const deposed = resource.type === 'secret' ? (resource.deposed ?? []) : [];
      return {
        mode: 'managed',
        type,
        name: address.slice(type.length + 1),
        provider,
        instances: [
          {
            schema_version: 0,
            ...(status && { status }),
            attributes,
            sensitive_attributes: [],
            dependencies,
          },
          ...deposed.map((old, index) => ({
            schema_version: 0,
            deposed: String(index),
            provider: old.provider,
            attributes: old.attributes,
          })),
        ],
      };
    });
  return `${JSON.stringify({ ...state, resources }, null, 2)}\n`;
}

/** @throws {TypeError} for what is no state of this version */
export function stateFromJson(text: string): State {
  const json = JSON.parse(text) as Partial<State> & { resources?: unknown };
  if (
    json.version !== 4 ||
    typeof json.serial !== 'number' ||
    typeof json.lineage !== 'string' ||
    typeof json.secret_key !== 'string'
  ) {
    throw new TypeError('This is no state of version 4.');
  }
  const { version, serial, lineage, secret_key, endpoints = {}, outputs = {} } = json as State;
  const list = Array.isArray(json.resources) ? (json.resources as JsonResource[]) : [];
  const resources = new Map(list.map((one) => readResource(one)).map((one) => [one.address, one]));
  return { version, serial, lineage, secret_key, endpoints, outputs, resources };
}

interface JsonResource {
  readonly type: 'function' | 'secret';
  readonly name: string;
  readonly provider: string;
  readonly instances: readonly {
    readonly status?: Resource['status'];
    readonly deposed?: string;
    readonly provider?: string;
    readonly attributes: never;
    readonly dependencies?: readonly Address[];
  }[];
}

function readResource({ type, name, provider, instances }: JsonResource): Resource {
  const current = instances.find(({ deposed }) => deposed === undefined);
  if (current === undefined) throw new TypeError(`The state knows ${type}.${name} without an instance.`);
  const { attributes, status, dependencies = [] } = current;
  const base = { address: `${type}.${name}` as Address, provider, status, dependencies };
  if (type === 'function') return { ...base, type, attributes };
  const deposed = instances
    .filter((instance) => instance.deposed !== undefined)
    .map((instance) => ({ provider: instance.provider ?? provider, attributes: instance.attributes }));
  return { ...base, type, attributes, ...(deposed.length > 0 && { deposed }) };
}
