/** deployJob: reads what is there, writes what differs, waits until the function can be called. */
import type { FunctionConfiguration, GetFunctionResponse } from '@aws-sdk/client-lambda';
import { FaasError } from '../../core/errors.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { DeployJournal } from '../shared/deploy-journal.js';
import type { ControlPlane } from './control-plane.js';
import { codeDiffers, configurationChanges } from './diff.js';
import { codeOf, type FunctionSpec } from './function-spec.js';
import { failedError, reasonOf, standingOf } from './function-state.js';
import type { DeployStep, Settings } from './options.js';
import { Publication } from './publish.js';
import { FunctionTags } from './tags.js';
import { uploadCode } from './upload.js';

/** How long a new role may take to be known everywhere. */
const ROLE_TIMEOUT_MS = 60_000;

export class Deploy {
  readonly #settings: Settings;
  readonly #control: ControlPlane;
  readonly #spec: FunctionSpec;
  readonly #scope: CallScope;
  readonly #journal: DeployJournal<DeployStep>;

  constructor(settings: Settings, control: ControlPlane, spec: FunctionSpec, scope: CallScope) {
    this.#settings = settings;
    this.#control = control;
    this.#spec = spec;
    this.#scope = scope;
    this.#journal = new DeployJournal<DeployStep>('read', spec, settings.onProgress);
  }

  /** Every step reads first and writes only what differs, so a deploy that broke off is finished by the next one. */
  async run(): Promise<void> {
    try {
      this.#journal.begin('read');
      const existing = await this.#read();
      const found = existing ?? (await this.#create());
      await this.#update('update-code', (current) => this.#codeUpdate(current));
      // Once, and not after our own create: what has just failed would fail alike.
      let mended = existing === undefined;
      const ready = await this.#update('update-configuration', (current) => {
        // After a failed update the settings may look right and not be in force: written once more, they are.
        const failed = !mended && current.LastUpdateStatus === 'Failed';
        mended ||= failed;
        return this.#configurationUpdate(current, failed);
      });
      if (standingOf(ready) === 'failed') throw failedError(this.#spec.functionName, ready);
      await this.#concurrency(found.Concurrency?.ReservedConcurrentExecutions);
      const services = {
        control: this.#control,
        spec: this.#spec,
        scope: this.#scope,
        journal: this.#journal,
      };
      const publication = new Publication(services, this.#settings);
      await publication.publish(ready);
      await new FunctionTags(services, this.#settings.alias).write(ready.FunctionArn ?? '', found.Tags ?? {});
      await publication.provision();
      this.#journal.begin('done');
    } catch (failure) {
      throw this.#journal.explain(failure);
    }
  }

  #read(): Promise<GetFunctionResponse | undefined> {
    return this.#control.find(this.#spec.functionName, this.#scope, (client, sdk, options) =>
      client.send(new sdk.GetFunctionCommand({ FunctionName: this.#spec.functionName }), options),
    );
  }

  /** Creates the function, or finds the one that someone else created in the same moment. */
  async #create(): Promise<GetFunctionResponse> {
    const { functionName, configuration, architecture } = this.#spec;
    const Code = codeOf(this.#spec, await this.#upload());
    const endsAtMs = performance.now() + ROLE_TIMEOUT_MS;
    for (;;) {
      this.#journal.begin('create');
      try {
        const { VpcConfig, KMSKeyArn, DeadLetterConfig, ...always } = configuration;
        await this.#control.send(functionName, this.#scope, (client, sdk, options) =>
          client.send(
            new sdk.CreateFunctionCommand({
              FunctionName: functionName,
              ...always,
              // An empty value is how an update takes these away; a create leaves them out.
              ...(VpcConfig.SubnetIds?.length && { VpcConfig }),
              ...(KMSKeyArn && { KMSKeyArn }),
              ...(DeadLetterConfig.TargetArn && { DeadLetterConfig }),
              Code,
              Architectures: [architecture],
            }),
            options,
          ),
        );
        this.#journal.written('create');
        break;
      } catch (failure) {
        if (isConflict(failure)) break;
        if (!isRoleUnknown(failure) || performance.now() >= endsAtMs) throw failure;
        this.#journal.begin('wait-for-role');
        await sleep(this.#settings.pollMs, this.#scope);
      }
    }
    const created = await this.#read();
    if (created !== undefined) return created;
    throw new FaasError({
      code: 'CONFLICT',
      executed: 'no',
      message: `${functionName} was created and is gone again: someone else deletes it.`,
    });
  }

  /**
   * Brings one aspect of the function into its wanted state. Someone else's deploy between our look and our write is
   * noticed by the revision: look again, decide again, once.
   */
  async #update(
    step: 'update-code' | 'update-configuration',
    plan: (current: FunctionConfiguration) => (() => Promise<unknown>) | undefined,
  ): Promise<FunctionConfiguration> {
    let drifts = 0;
    for (;;) {
      const current = await this.#settled();
      const write = plan(current);
      if (write === undefined) return current;
      this.#journal.begin(step);
      try {
        await write();
        this.#journal.written(step);
      } catch (failure) {
        if (!FaasError.is(failure)) throw failure;
        if (failure.status === 412 && drifts++ === 0) continue;
        if (!isConflict(failure)) throw failure;
        // Another change is in progress there: it is waited for, and the deadline of the deploy is the limit.
        await sleep(this.#settings.pollMs, this.#scope);
        continue;
      }
      const after = await this.#settled();
      if (standingOf(after) === 'failed') throw failedError(this.#spec.functionName, after);
    }
  }

  #codeUpdate(current: FunctionConfiguration): (() => Promise<unknown>) | undefined {
    if (!codeDiffers(this.#spec, current)) return undefined;
    const { functionName, architecture } = this.#spec;
    return async () => {
      const code = codeOf(this.#spec, await this.#upload());
      return this.#control.send(functionName, this.#scope, (client, sdk, options) =>
        client.send(
          new sdk.UpdateFunctionCodeCommand({
            FunctionName: functionName,
            ...code,
            Architectures: [architecture],
            RevisionId: current.RevisionId,
          }),
          options,
        ),
      );
    };
  }

  #configurationUpdate(current: FunctionConfiguration, all: boolean): (() => Promise<unknown>) | undefined {
    const { functionName, configuration } = this.#spec;
    const changes = all ? configuration : configurationChanges(configuration, current);
    if (changes === undefined) return undefined;
    return () =>
      this.#control.send(functionName, this.#scope, (client, sdk, options) =>
        client.send(
          new sdk.UpdateFunctionConfigurationCommand({
            FunctionName: functionName,
            ...changes,
            RevisionId: current.RevisionId,
          }),
          options,
        ),
      );
  }

  /** Waits until AWS is done with whatever it does to the function, well or badly. */
  async #settled(): Promise<FunctionConfiguration> {
    const { functionName } = this.#spec;
    for (;;) {
      const current = await this.#control.send(functionName, this.#scope, (client, sdk, options) =>
        client.send(new sdk.GetFunctionConfigurationCommand({ FunctionName: functionName }), options),
      );
      if (standingOf(current) !== 'busy') return current;
      this.#journal.waitFor('wait', reasonOf(current));
      await sleep(this.#settings.pollMs, this.#scope);
    }
  }

  async #concurrency(current: number | undefined): Promise<void> {
    const { functionName, maxConcurrency } = this.#spec;
    if (current === maxConcurrency) return;
    this.#journal.begin('concurrency');
    await this.#control.send<unknown>(functionName, this.#scope, (client, sdk, options) =>
      maxConcurrency === undefined
        ? client.send(new sdk.DeleteFunctionConcurrencyCommand({ FunctionName: functionName }), options)
        : client.send(
            new sdk.PutFunctionConcurrencyCommand({
              FunctionName: functionName,
              ReservedConcurrentExecutions: maxConcurrency,
            }),
            options,
          ),
    );
    this.#journal.written('concurrency');
  }

  async #upload(): Promise<{ bucket: string; key: string } | undefined> {
    if (!this.#spec.viaBucket) return undefined;
    this.#journal.begin('upload');
    return uploadCode(this.#settings, this.#control, this.#spec, this.#scope);
  }
}

function isConflict(failure: unknown): boolean {
  return FaasError.is(failure) && failure.status === 409;
}

/** The one mistake that time mends: the same error type carries all others too, so the text decides. */
function isRoleUnknown(failure: unknown): boolean {
  return (
    FaasError.is(failure) && failure.status === 400 && failure.message.includes('cannot be assumed by Lambda')
  );
}
