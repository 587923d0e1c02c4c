/**
 * What an app stands on: resource group, storage account, blob container, plan. Each is looked for, and made when it is
 * really not there; what is there is used as it is, whoever made it.
 */
import { FaasError } from '../../core/errors.js';
import { type CallScope, sleep } from '../../core/scope.js';
import type { DeployJournal } from '../shared/deploy-journal.js';
import { type Fields, isObject, textOf } from '../shared/json.js';
import { CREATED_BY, type Ground, OURS } from './app-shape.js';
import type { AppSpec } from './app-spec.js';
import { type Arm, absentIfMissing, GROUPS_API, propertiesOf, STORAGE_API } from './arm.js';
import { operationError } from './errors.js';
import { config, type DeployStep, PROVIDER } from './options.js';

const TAGS = { [CREATED_BY]: OURS };
const SKUS = {
  flex: { name: 'FC1', tier: 'FlexConsumption' },
  consumption: { name: 'Y1', tier: 'Dynamic' },
} as const;

export class GroundWork {
  readonly #arm: Arm;

  constructor(arm: Arm) {
    this.#arm = arm;
  }

  /** Finds or makes everything. The connection string in it is a secret. */
  async prepare(spec: AppSpec, scope: CallScope, journal: DeployJournal<DeployStep>): Promise<Ground> {
    journal.at('group');
    const location = await this.#group(scope, journal);
    journal.at('storage');
    const account = await this.#storage(location, scope, journal);
    const connectionString = await this.#connectionString(account, scope);
    journal.at('container');
    await this.#container(spec.container, scope, journal);
    journal.at('plan');
    const planId = await this.#plan(spec, location, scope, journal);
    const containerUrl = `${blobEndpoint(account)}${spec.container}`;
    return { location, planId, connectionString, containerUrl };
  }

  async #group(scope: CallScope, journal: DeployJournal<DeployStep>): Promise<string> {
    const { resourceGroup, location } = this.#arm.settings;
    const { groupPath } = this.#arm;
    const found = await this.#arm.find(groupPath, GROUPS_API, resourceGroup, scope);
    const there = textOf(found?.['location']);
    if (found !== undefined) return location ?? there ?? '';
    if (location === undefined)
      throw config(
        `needs \`location\`: the resource group ${resourceGroup} is not there, and has to be made`,
      );
    journal.begin('group');
    await this.#arm.request('PUT', groupPath, GROUPS_API, resourceGroup, scope, { location, tags: TAGS });
    journal.written('group');
    return location;
  }

  async #storage(location: string, scope: CallScope, journal: DeployJournal<DeployStep>): Promise<Fields> {
    const { storageAccount } = this.#arm.settings;
    const path = this.#arm.storagePath();
    let account = await this.#arm.find(path, STORAGE_API, storageAccount, scope);
    if (account === undefined) {
      journal.begin('storage');
      await this.#arm.request('PUT', path, STORAGE_API, storageAccount, scope, {
        location,
        tags: TAGS,
        kind: 'StorageV2',
        sku: { name: 'Standard_LRS' },
        properties: {
          minimumTlsVersion: 'TLS1_2',
          allowBlobPublicAccess: false,
          supportsHttpsTrafficOnly: true,
        },
      });
      journal.written('storage');
      account = {};
    }
    // Accepted is not done: its state says when.
    for (let isWaiting = false; ; isWaiting = true) {
      const state = textOf(propertiesOf(account)['provisioningState']);
      if (state === 'Succeeded') return account;
      if (state === 'Failed' || state === 'Canceled')
        throw operationError(
          { code: state, message: undefined },
          storageAccount,
          this.#arm.settings.endpoint,
        );
      if (!isWaiting) journal.waitFor('storage', `the storage account (${state ?? 'accepted'})`);
      await sleep(this.#arm.settings.pollMs, scope);
      account = (await this.#arm.find(path, STORAGE_API, storageAccount, scope)) ?? {};
    }
  }

  async #connectionString(account: Fields, scope: CallScope): Promise<string> {
    const { storageAccount } = this.#arm.settings;
    const path = `${this.#arm.storagePath()}/listKeys`;
    const { keys } = await this.#arm.request('POST', path, STORAGE_API, storageAccount, scope);
    const [first] = Array.isArray(keys) ? keys.filter(isObject) : [];
    const key = textOf(first?.['value']);
    if (key === undefined) {
      const message = `The storage account ${storageAccount} gave no key. Allow access with keys on it, or name another \`storageAccount\`.`;
      throw new FaasError({ code: 'AUTH', executed: 'no', provider: PROVIDER, message });
    }
    return connectionString(storageAccount, key, account);
  }

  async #container(container: string, scope: CallScope, journal: DeployJournal<DeployStep>): Promise<void> {
    const { storageAccount } = this.#arm.settings;
    const path = this.#arm.containerPath(container);
    if ((await this.#arm.find(path, STORAGE_API, storageAccount, scope)) !== undefined) return;
    journal.begin('container');
    await this.#arm.request('PUT', path, STORAGE_API, storageAccount, scope, { properties: {} });
    journal.written('container');
  }

  /** @returns its resource id, as Azure states it */
  async #plan(
    { plan, planName }: AppSpec,
    location: string,
    scope: CallScope,
    journal: DeployJournal<DeployStep>,
  ): Promise<string> {
    const { resourceGroup, pollMs } = this.#arm.settings;
    const made = await this.#arm.sdk(planName, scope, async ({ appServicePlans }) => {
      const abortSignal = scope.signal;
      const found = await absentIfMissing(appServicePlans.get(resourceGroup, planName, { abortSignal }));
      if (found !== undefined) return found;
      journal.begin('plan');
      const poller = appServicePlans.createOrUpdate(
        resourceGroup,
        planName,
        {
          location,
          tags: TAGS,
          kind: plan.kind === 'premium' ? 'elastic' : 'functionapp',
          reserved: true,
          sku: plan.kind === 'premium' ? { name: plan.sku, tier: 'ElasticPremium' } : SKUS[plan.kind],
          ...(plan.kind === 'premium' && { elasticScaleEnabled: true, maximumElasticWorkerCount: 20 }),
        },
        { abortSignal, updateIntervalInMs: pollMs },
      );
      const whole = await poller.pollUntilDone({ abortSignal });
      journal.written('plan');
      return whole;
    });
    return made.id ?? `${this.#arm.groupPath}/providers/Microsoft.Web/serverfarms/${planName}`;
  }
}

/** By the suffix where names follow the rule; else endpoint by endpoint: zones and emulators have others. */
function connectionString(name: string, key: string, account: Fields): string {
  const { protocol, host } = new URL(blobEndpoint(account));
  const credentials = `DefaultEndpointsProtocol=${protocol.slice(0, -1)};AccountName=${name};AccountKey=${key}`;
  const [start, suffix = ''] = host.split('.blob.');
  if (start === name) return `${credentials};EndpointSuffix=${suffix}`;
  const endpoints = propertiesOf(account)['primaryEndpoints'] as Fields;
  const named = (['blob', 'queue', 'table'] as const).flatMap((kind) => {
    const url = textOf(endpoints[kind]);
    return url === undefined ? [] : [`${kind.charAt(0).toUpperCase()}${kind.slice(1)}Endpoint=${url}`];
  });
  return [credentials, ...named].join(';');
}

/** `https://ACCOUNT.blob.core.windows.net/`, as the account states it: other clouds have other names. */
function blobEndpoint(account: Fields): string {
  const endpoints = propertiesOf(account)['primaryEndpoints'];
  const blob = isObject(endpoints) ? textOf(endpoints['blob']) : undefined;
  if (blob !== undefined) return blob.endsWith('/') ? blob : `${blob}/`;
  const message = 'Azure described a storage account without its blob endpoint.';
  throw new FaasError({ code: 'PROTOCOL', executed: 'no', provider: PROVIDER, message });
}
