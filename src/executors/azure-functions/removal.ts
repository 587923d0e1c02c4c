/** What goes away beside an app: plans that nobody stands on, and what all jobs of the group shared. */
import type { AppServicePlan } from '@azure/arm-appservice';
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { type Fields, isObject, textOf } from '../shared/json.js';
import { CREATED_BY, OURS } from './app-shape.js';
import { type Arm, absentIfMissing, GROUPS_API, STORAGE_API } from './arm.js';
import { PROVIDER } from './options.js';

const RESOURCES_API = '2021-04-01';

interface Resource {
  /** In lower case: Azure writes it in several ways. */
  readonly type: string;
  readonly name: string;
}
const SITE = 'microsoft.web/sites';
const PLAN = 'microsoft.web/serverfarms';
const ACCOUNT = 'microsoft.storage/storageaccounts';

export class Removal {
  readonly #arm: Arm;

  constructor(arm: Arm) {
    this.#arm = arm;
  }

  /** Removes the packages of an app. Twice is fine, and so is a storage account that is gone. */
  async container(container: string, scope: CallScope): Promise<void> {
    const path = this.#arm.containerPath(container);
    const { storageAccount } = this.#arm.settings;
    await absentIfMissing(this.#arm.request('DELETE', path, STORAGE_API, storageAccount, scope));
  }

  /** Removes those of the plans that we have made and no app stands on. Twice is fine. */
  async emptyPlans(names: readonly string[], scope: CallScope): Promise<void> {
    const { resourceGroup } = this.#arm.settings;
    for (const name of names) {
      const plan = await this.#arm.sdk(name, scope, ({ appServicePlans }) =>
        absentIfMissing(appServicePlans.get(resourceGroup, name, { abortSignal: scope.signal })),
      );
      if (plan !== undefined) await this.#planIfEmpty({ ...plan, name }, scope);
    }
  }

  /**
   * Removes plans without apps, the storage account and the group, each only when this executor has made it; the group,
   * when nothing is left in it. Resolves to what was removed.
   * @throws {FaasError} CONFLICT while there are apps
   */
  async shared(scope: CallScope): Promise<string[]> {
    const { resourceGroup, storageAccount } = this.#arm.settings;
    const group = await this.#arm.find(this.#arm.groupPath, GROUPS_API, resourceGroup, scope);
    if (group === undefined) return [];
    const inside = await this.#inside(scope);
    if (inside.some(({ type }) => type === SITE)) throw this.#stillInUse();
    const removed: Resource[] = [];
    for (const plan of await this.#plans(scope)) {
      if (await this.#planIfEmpty(plan, scope)) removed.push({ type: PLAN, name: plan.name ?? '' });
    }
    const storagePath = this.#arm.storagePath();
    const account = await this.#arm.find(storagePath, STORAGE_API, storageAccount, scope);
    if (account !== undefined && isOurs(account)) {
      await this.#arm.request('DELETE', storagePath, STORAGE_API, storageAccount, scope);
      removed.push({ type: ACCOUNT, name: storageAccount });
    }
    // Looked at again, since a group takes with it all that has come meanwhile.
    const names = removed.map(({ name }) => name);
    const isRemoved = (one: Resource) =>
      removed.some(({ type, name }) => type === one.type && name === one.name);
    if (!isOurs(group) || !(await this.#inside(scope)).every(isRemoved)) return names;
    await this.#arm.request('DELETE', this.#arm.groupPath, GROUPS_API, resourceGroup, scope);
    return [...names, resourceGroup];
  }

  async #planIfEmpty(plan: AppServicePlan, scope: CallScope): Promise<boolean> {
    const { name = '', numberOfSites } = plan;
    if (!isOurs({ ...plan }) || numberOfSites !== 0) return false;
    const { resourceGroup } = this.#arm.settings;
    try {
      await this.#arm.sdk(name, scope, ({ appServicePlans }) =>
        absentIfMissing(appServicePlans.delete(resourceGroup, name, { abortSignal: scope.signal })),
      );
      return true;
    } catch (failure) {
      // An app has come to stand on it.
      if (FaasError.is(failure) && failure.code === 'CONFLICT') return false;
      throw failure;
    }
  }

  /** Azure's list of a group's resources is some time late, so apps and plans are asked of App Service as well. */
  async #inside(scope: CallScope): Promise<Resource[]> {
    const { resourceGroup } = this.#arm.settings;
    const listed = (await this.#resources(scope)).map((one) => ({
      type: textOf(one['type'])?.toLowerCase() ?? '',
      name: textOf(one['name']) ?? '',
    }));
    const sites = await this.#arm.sdk(resourceGroup, scope, ({ webApps }) =>
      collect(webApps.listByResourceGroup(resourceGroup, { abortSignal: scope.signal })),
    );
    const plans = await this.#plans(scope);
    return [
      ...listed,
      ...sites.map(({ name = '' }) => ({ type: SITE, name })),
      ...plans.map(({ name = '' }) => ({ type: PLAN, name })),
    ];
  }

  /** Of all pages. */
  async #resources(scope: CallScope): Promise<Fields[]> {
    const { endpoint, resourceGroup } = this.#arm.settings;
    const all: Fields[] = [];
    let path: string | undefined = `${this.#arm.groupPath}/resources`;
    while (path !== undefined) {
      const page: Fields = await this.#arm.request('GET', path, RESOURCES_API, resourceGroup, scope);
      if (!Array.isArray(page['value']))
        throw protocol(`${endpoint} listed ${resourceGroup} without a list.`);
      all.push(...page['value'].filter(isObject));
      path = textOf(page['nextLink']) || undefined;
      // The next page gets our token.
      if (path !== undefined && new URL(path, endpoint).origin !== endpoint)
        throw protocol(`${endpoint} sent us to another host for the rest of ${resourceGroup}.`);
    }
    return all;
  }

  #plans(scope: CallScope): Promise<AppServicePlan[]> {
    const { resourceGroup } = this.#arm.settings;
    return this.#arm.sdk(resourceGroup, scope, ({ appServicePlans }) =>
      collect(appServicePlans.listByResourceGroup(resourceGroup, { abortSignal: scope.signal })),
    );
  }

  #stillInUse(): FaasError {
    const { resourceGroup } = this.#arm.settings;
    return new FaasError({
      code: 'CONFLICT',
      executed: 'no',
      provider: PROVIDER,
      message: `${resourceGroup} still has apps in it. Undeploy them first: they need the storage account. Azure may list an app for a minute after it is gone.`,
    });
  }
}

export async function collect<Item>(pages: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of pages) all.push(item);
  return all;
}

function isOurs(resource: Fields): boolean {
  const tags = resource['tags'];
  return isObject(tags) && tags[CREATED_BY] === OURS;
}

function protocol(message: string): FaasError {
  return new FaasError({ code: 'PROTOCOL', executed: 'no', provider: PROVIDER, message });
}
