/** Versions, the alias that calls go to, and the instances that are kept warm for it. */
import type { FunctionConfiguration } from '@aws-sdk/client-lambda';
import { FaasError } from '../../core/errors.js';
import { type CallScope, sleep } from '../../core/scope.js';
import type { DeployJournal } from '../shared/deploy-journal.js';
import type { ControlPlane } from './control-plane.js';
import { codeDiffers, configurationChanges } from './diff.js';
import type { FunctionSpec } from './function-spec.js';
import { type DeployStep, PROVIDER, type Settings } from './options.js';

/** What the steps of one deploy share. */
export interface DeployServices {
  readonly control: ControlPlane;
  readonly spec: FunctionSpec;
  readonly scope: CallScope;
  readonly journal: DeployJournal<DeployStep>;
}

export class Publication {
  readonly #services: DeployServices;
  readonly #settings: Settings;

  constructor(services: DeployServices, settings: Settings) {
    this.#services = services;
    this.#settings = settings;
  }

  /** Points the alias at a version with this code and configuration. Calls go over to it in one moment. */
  async publish(latest: FunctionConfiguration): Promise<void> {
    const { alias } = this.#settings;
    if (alias === undefined) return;
    const { control, spec, scope, journal } = this.#services;
    const { functionName: FunctionName } = spec;
    journal.at('publish');
    const current = await control.find(FunctionName, scope, (client, sdk, options) =>
      client.send(new sdk.GetAliasCommand({ FunctionName, Name: alias }), options),
    );
    if (current?.FunctionVersion !== undefined && (await this.#isCurrent(current.FunctionVersion))) return;
    journal.begin('publish');
    // AWS gives the last version again when nothing has changed since, so repeating this does no harm.
    const { Version } = await control.send(FunctionName, scope, (client, sdk, options) =>
      client.send(new sdk.PublishVersionCommand({ FunctionName, CodeSha256: latest.CodeSha256 }), options),
    );
    journal.written('publish');
    await this.#ready(Version ?? '');
    journal.begin('alias');
    const target = { FunctionName, Name: alias, FunctionVersion: Version };
    await control.send<unknown>(FunctionName, scope, (client, sdk, options) =>
      current === undefined
        ? client.send(new sdk.CreateAliasCommand(target), options)
        : client.send(new sdk.UpdateAliasCommand({ ...target, RevisionId: current.RevisionId }), options),
    );
    journal.written('alias');
  }

  /** Sets the number of warm instances and waits until they are there. */
  async provision(): Promise<void> {
    const { alias } = this.#settings;
    if (alias === undefined) return;
    const { control, spec, scope, journal } = this.#services;
    const { functionName, keepWarm } = spec;
    const target = { FunctionName: functionName, Qualifier: alias };
    journal.at('provision');
    const current = await this.#provisioned();
    if (keepWarm === 0) {
      if (current === undefined) return;
      journal.begin('provision');
      await control.find(functionName, scope, (client, sdk, options) =>
        client.send(new sdk.DeleteProvisionedConcurrencyConfigCommand(target), options),
      );
      journal.written('provision');
      return;
    }
    if (current?.RequestedProvisionedConcurrentExecutions !== keepWarm || current.Status === 'FAILED') {
      journal.begin('provision');
      await control.send(functionName, scope, (client, sdk, options) =>
        client.send(
          new sdk.PutProvisionedConcurrencyConfigCommand({
            ...target,
            ProvisionedConcurrentExecutions: keepWarm,
          }),
          options,
        ),
      );
      journal.written('provision');
    }
    await this.#provisionedReady();
  }

  async #provisionedReady(): Promise<void> {
    const { spec, scope, journal } = this.#services;
    for (;;) {
      const current = await this.#provisioned();
      if (current?.Status === 'READY') return;
      if (current?.Status === 'FAILED') {
        throw unavailable(
          spec,
          `AWS could not keep ${spec.keepWarm} instances warm: ${current.StatusReason ?? 'no reason given'}`,
        );
      }
      journal.waitFor('wait', `provisioned concurrency ${current?.Status ?? 'unknown'}`);
      await sleep(this.#settings.pollMs, scope);
    }
  }

  #provisioned() {
    const { control, spec, scope } = this.#services;
    const target = { FunctionName: spec.functionName, Qualifier: this.#settings.alias };
    return control.find(spec.functionName, scope, (client, sdk, options) =>
      client.send(new sdk.GetProvisionedConcurrencyConfigCommand(target), options),
    );
  }

  async #isCurrent(version: string): Promise<boolean> {
    const { spec } = this.#services;
    const published = await this.#version(version);
    return (
      published !== undefined &&
      !codeDiffers(spec, published) &&
      configurationChanges(spec.configuration, published) === undefined
    );
  }

  #version(version: string): Promise<FunctionConfiguration | undefined> {
    const { control, spec, scope } = this.#services;
    const target = { FunctionName: spec.functionName, Qualifier: version };
    return control.find(spec.functionName, scope, (client, sdk, options) =>
      client.send(new sdk.GetFunctionConfigurationCommand(target), options),
    );
  }

  /** A version can take a moment of its own until it can be called. */
  async #ready(version: string): Promise<void> {
    const { journal, scope, spec } = this.#services;
    for (;;) {
      const { State = 'Active', StateReason } = (await this.#version(version)) ?? {};
      if (State === 'Active' || State === 'Inactive') return;
      if (State === 'Failed')
        throw unavailable(spec, `version ${version} failed: ${StateReason ?? 'no reason given'}`);
      journal.waitFor('wait', `version ${version} ${State}`);
      await sleep(this.#settings.pollMs, scope);
    }
  }
}

function unavailable({ functionName }: FunctionSpec, message: string): FaasError {
  return new FaasError({
    code: 'UNAVAILABLE',
    executed: 'no',
    provider: PROVIDER,
    functionName,
    message: `${message}.`,
  });
}
