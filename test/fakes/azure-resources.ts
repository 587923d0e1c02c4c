/**
 * The resources of one subscription as ARM keeps them: groups, storage accounts, plans, apps; what is accepted takes a
 * few reads until it is there. Answers have the statuses and shapes of the published API, and both forms of errors.
 */
import { randomUUID } from 'node:crypto';

export type Json = Record<string, unknown>;
export type Answer = readonly [status: number, reply?: unknown, headers?: Record<string, string>];

export interface FakeSite {
  readonly resource: Json & { tags: Record<string, string>; properties: Json };
  settings: Record<string, string>;
  configuration: Json;
  /** How often its host was started anew: each write does it. */
  restarts: number;
  functionKey: string;
  zip: Buffer | undefined;
  /** Requests for keys that find no host yet. */
  startReads: number;
  readonly host: string;
  readonly scmHost: string;
}

export const SUBSCRIPTION = '00000000-1111-2222-3333-444444444444';
export const STORAGE_KEY = 'c3RvcmFnZS1rZXktdGhhdC1tdXN0LW5vdC1sZWFr';

export class FakeResources {
  /** `host` of the management API, for absolute addresses of operations. */
  armHost = 'management.azure.com';
  readonly groups = new Map<string, Json>();
  readonly storage = new Map<string, Json & { containers: Set<string> }>();
  readonly plans = new Map<string, Json>();
  readonly sites = new Map<string, FakeSite>();
  /** Of other subscriptions. */
  readonly takenNames = new Set<string>();
  /** Of the group, and none of ours. */
  readonly otherResources: { name: string; type: string }[] = [];
  /** Names that the list of a group's resources does not show yet. */
  readonly lateResources = new Set<string>();
  resourcesPerPage = 1000;
  /** Polls until an operation is done. */
  operationReads = 1;
  /** What operations end with; undefined for success. */
  operationError: Json | undefined;
  storageReads = 1;
  storageKey = STORAGE_KEY;
  /** How often a new app's keys are not there yet. */
  keyReads = 1;
  /** Keys in the form of the published description, `{properties: {default}}`. */
  keysWithProperties = false;
  syncStatus: 200 | 204 = 204;
  /** Hosts of apps: `(name) => [host, scmHost]`. */
  hostsOf = (name: string): [string, string] => {
    const end = `${name}-c9f2x7.westeurope-01.azurewebsites.net`;
    return [end, end.replace('.', '.scm.')];
  };
  readonly #operations = new Map<string, { reads: number; finish: () => void }>();

  answer(method: string, steps: readonly string[], query: URLSearchParams, body: Json | undefined): Answer {
    const [, subscription, , group = '', ...rest] = steps;
    if (subscription !== SUBSCRIPTION)
      return error(404, 'SubscriptionNotFound', `The subscription '${subscription}' could not be found.`);
    if (steps[2] === 'providers') return this.#operation(steps.at(-1) ?? '');
    if (rest.length === 0) return this.#group(method, group, body);
    if (!this.groups.has(group))
      return error(404, 'ResourceGroupNotFound', `Resource group '${group}' could not be found.`);
    if (rest[0] === 'resources') return this.#resources(query);
    const [, provider, type, name, ...more] = rest;
    if (provider === 'Microsoft.Storage') return this.#storage(method, name ?? '', more, body);
    if (type === 'serverfarms' && name === undefined)
      return [200, { value: [...this.plans.keys()].map((one) => this.#planOf(one)) }];
    if (type === 'serverfarms') return this.#plan(method, group, name ?? '', body);
    if (name === undefined) return [200, { value: [...this.sites.values()].map(({ resource }) => resource) }];
    return this.#site(method, group, name, more, query, body);
  }

  /** In pages, as Azure gives them, and as late as `lateResources` is: it is not the providers' own list. */
  #resources(query: URLSearchParams): Answer {
    const of = (type: string, names: Iterable<string>) => [...names].map((name) => ({ name, type }));
    const all = [
      ...of('Microsoft.Storage/storageAccounts', this.storage.keys()),
      ...of('Microsoft.Web/serverfarms', this.plans.keys()),
      ...this.otherResources,
      ...of('Microsoft.Web/sites', this.sites.keys()),
    ].filter(({ name }) => !this.lateResources.has(name));
    const from = Number(query.get('$skiptoken') ?? 0);
    const to = from + this.resourcesPerPage;
    const address = `https://${this.armHost}${root([...this.groups.keys()][0] ?? '')}/resources`;
    return [
      200,
      {
        value: all.slice(from, to),
        ...(to < all.length && { nextLink: `${address}?api-version=2021-04-01&$skiptoken=${to}` }),
      },
    ];
  }

  #group(method: string, name: string, body: Json | undefined): Answer {
    const found = this.groups.get(name);
    if (method === 'PUT') {
      const made = { id: `${root(name)}`, name, ...body, properties: { provisioningState: 'Succeeded' } };
      this.groups.set(name, made);
      return [found === undefined ? 201 : 200, made];
    }
    if (found === undefined)
      return error(404, 'ResourceGroupNotFound', `Resource group '${name}' could not be found.`);
    if (method === 'GET') return [200, found];
    this.groups.delete(name);
    return [202];
  }

  #storage(method: string, name: string, more: readonly string[], body: Json | undefined): Answer {
    const found = this.storage.get(name);
    if (method === 'PUT' && more.length === 0) {
      const primaryEndpoints = { blob: `https://${name}.blob.core.windows.net/` };
      const properties = {
        ...(body?.['properties'] as Json),
        primaryEndpoints,
        provisioningState: 'Creating',
      };
      this.storage.set(name, { name, ...body, properties, containers: new Set() });
      return [202];
    }
    if (found === undefined)
      return error(404, 'ResourceNotFound', `The Resource 'storageAccounts/${name}' was not found.`);
    const { containers, ...account } = found;
    if (more[0] === 'listKeys')
      return [200, { keys: [{ keyName: 'key1', value: this.storageKey, permissions: 'FULL' }] }];
    if (more[0] === 'blobServices') {
      const container = more[3] ?? '';
      if (method === 'PUT') {
        containers.add(container);
        return [201, { name: container }];
      }
      if (!containers.has(container))
        return error(404, 'ContainerNotFound', 'The specified container does not exist.');
      if (method === 'GET') return [200, { name: container }];
      containers.delete(container);
      return [200];
    }
    if (method === 'DELETE') {
      this.storage.delete(name);
      return [200];
    }
    const properties = account['properties'] as Json;
    if (this.storageReads-- <= 0) properties['provisioningState'] = 'Succeeded';
    return [200, account];
  }

  #plan(method: string, group: string, name: string, body: Json | undefined): Answer {
    const found = this.plans.get(name);
    if (method === 'PUT') {
      const id = `${root(group)}/providers/Microsoft.Web/serverfarms/${name}`;
      const made = { id, name, ...body };
      this.plans.set(name, made);
      return [200, made];
    }
    if (found === undefined) return notFound(`serverfarms/${name}`);
    const plan = this.#planOf(name);
    if (method === 'GET') return [200, plan];
    if (plan.properties['numberOfSites'] !== 0)
      return error(409, 'Conflict', `Server farm '${name}' cannot be deleted because it has sites.`);
    this.plans.delete(name);
    return [200];
  }

  #planOf(name: string): Json & { properties: Json } {
    const plan = this.plans.get(name) ?? {};
    const { length: numberOfSites } = [...this.sites.values()].filter(
      ({ resource }) => resource.properties['serverFarmId'] === plan['id'],
    );
    return { ...plan, properties: { ...(plan['properties'] as Json), numberOfSites } };
  }

  #site(
    method: string,
    group: string,
    name: string,
    more: readonly string[],
    query: URLSearchParams,
    body: Json | undefined,
  ): Answer {
    const found = this.sites.get(name);
    if (method === 'PUT' && more.length === 0) return this.#putSite(group, name, found, body ?? {});
    if (found === undefined) return notFound(`sites/${name}`);
    const path = more.join('/');
    if (path === '' && method === 'GET') return [200, found.resource];
    if (path === '') {
      this.sites.delete(name);
      const plan = String(found.resource.properties['serverFarmId']).split('/').at(-1) ?? '';
      const isUsed = [...this.sites.values()].some(
        ({ resource }) => resource.properties['serverFarmId'] === found.resource.properties['serverFarmId'],
      );
      if (query.get('deleteEmptyServerFarm') === 'true' && !isUsed) this.plans.delete(plan);
      return [200];
    }
    switch (path) {
      case 'config/appsettings/list':
        return [200, { name: 'appsettings', properties: found.settings }];
      case 'config/appsettings':
        found.settings = { ...(body?.['properties'] as Record<string, string>) };
        found.restarts += 1;
        return [200, { name: 'appsettings', properties: found.settings }];
      case 'config/web':
        if (method === 'PATCH') Object.assign(found.configuration, body?.['properties']);
        return [200, { name: 'web', properties: found.configuration }];
      case 'functions/job/listkeys': {
        if (found.zip === undefined || found.startReads-- > 0) return notFound('functions/job');
        const keys = { default: found.functionKey };
        return [200, this.keysWithProperties ? { properties: keys } : keys];
      }
      case 'syncfunctiontriggers':
        return [this.syncStatus];
      case 'providers/Microsoft.Resources/tags/default': {
        const { tags } = (body?.['properties'] ?? {}) as { tags?: Record<string, string> };
        Object.assign(found.resource.tags, tags);
        return [200, { properties: { tags: found.resource.tags } }];
      }
      default:
        return error(400, 'BadRequest', `The fake knows no ${method} ${path}`);
    }
  }

  #putSite(group: string, name: string, found: FakeSite | undefined, body: Json): Answer {
    if (this.takenNames.has(name)) {
      // App Service's own form of an error.
      const message = `Website with given name ${name} already exists.`;
      return [409, { Code: 'Conflict', Message: message, Details: [{ Message: message }] }];
    }
    const { siteConfig, ...properties } = body['properties'] as Json;
    const plan =
      String(properties['serverFarmId'] ?? '')
        .split('/')
        .at(-1) ?? '';
    if (!this.plans.has(plan)) return error(404, 'ResourceNotFound', `Server farm '${plan}' was not found.`);
    const given = ((siteConfig as Json | undefined)?.['appSettings'] ?? []) as {
      name: string;
      value: string;
    }[];
    const settings =
      found?.settings ?? Object.fromEntries(given.map((setting) => [setting.name, setting.value]));
    if (settings['AzureWebJobsStorage'] === undefined)
      return error(400, 'BadRequest', 'AzureWebJobsStorage is needed.');
    const [host, scmHost] = this.hostsOf(name);
    const site: FakeSite = {
      host,
      scmHost,
      settings,
      configuration: found?.configuration ?? { ...(siteConfig as Json | undefined), appSettings: null },
      restarts: (found?.restarts ?? 0) + 1,
      functionKey: found?.functionKey ?? `key-${randomUUID()}`,
      zip: found?.zip,
      startReads: found === undefined ? this.keyReads : 0,
      resource: {
        id: `${root(group)}/providers/Microsoft.Web/sites/${name}`,
        name,
        type: 'Microsoft.Web/sites',
        kind: body['kind'],
        location: body['location'],
        tags: { ...(body['tags'] as Record<string, string>) },
        ...(body['identity'] !== undefined && { identity: body['identity'] }),
        properties: {
          ...properties,
          state: 'Running',
          availabilityState: 'Normal',
          hostNames: [host],
          enabledHostNames: scmHost.includes('.scm.') ? [host, scmHost] : [host],
          hostNameSslStates: [
            { name: host, hostType: 'Standard' },
            { name: scmHost, hostType: 'Repository' },
          ],
          defaultHostName: host,
          lastModifiedTimeUtc: '2026-11-20T10:00:00',
        },
      },
    };
    const id = randomUUID();
    const finish = () => this.sites.set(name, site);
    this.#operations.set(id, { reads: this.operationReads, finish });
    // An update is visible at once; a new site when its operation is done.
    if (found !== undefined) finish();
    const address = `https://${this.armHost}/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Web/locations/westeurope/operationResults/${id}`;
    return [202, site.resource, { 'azure-asyncoperation': address }];
  }

  #operation(id: string): Answer {
    const operation = this.#operations.get(id);
    if (operation === undefined) return notFound(`operationResults/${id}`);
    if (operation.reads-- > 0) return [200, { id, status: 'InProgress' }];
    if (this.operationError !== undefined) return [200, { id, status: 'Failed', error: this.operationError }];
    operation.finish();
    return [200, { id, status: 'Succeeded' }];
  }
}

function root(group: string): string {
  return `/subscriptions/${SUBSCRIPTION}/resourceGroups/${group}`;
}

export function error(status: number, code: string, message: string): Answer {
  return [status, { error: { code, message } }];
}

function notFound(what: string): Answer {
  return error(404, 'ResourceNotFound', `The Resource 'Microsoft.Web/${what}' was not found.`);
}
