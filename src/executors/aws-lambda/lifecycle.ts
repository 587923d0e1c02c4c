/** The control plane but for the deploy itself: describe, list, health, warm, undeploy. */
import type { FunctionConfiguration } from '@aws-sdk/client-lambda';
import { FaasError } from '../../core/errors.js';
import type { Artifact, Deployment, Health } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { inScope } from '../shared/in-scope.js';
import type { ControlPlane } from './control-plane.js';
import { Deploy } from './deploy.js';
import { JOB_ID_VARIABLE } from './environment.js';
import { functionSpec } from './function-spec.js';
import { healthOf } from './function-state.js';
import { config, functionNameOf, type LambdaFunctionConfig, PROVIDER, type Settings } from './options.js';

/** For everything that is not a deploy. */
const TIMEOUT_MS = 120_000;

export class Lifecycle {
  readonly #settings: Settings;
  readonly #control: ControlPlane;

  constructor(settings: Settings, control: ControlPlane) {
    this.#settings = settings;
    this.#control = control;
  }

  async deploy(
    jobId: JobId,
    artifact: Artifact,
    partial: Partial<LambdaFunctionConfig>,
    signal: AbortSignal | undefined,
  ): Promise<Deployment> {
    const spec = functionSpec(this.#settings, jobId, artifact, partial);
    return inScope(signal, this.#settings.deployTimeoutMs, async (scope) => {
      await new Deploy(this.#settings, this.#control, spec, scope).run();
      const deployment = await this.#describe(jobId, scope);
      if (deployment !== undefined) return deployment;
      throw this.#error('CONFLICT', jobId, 'was deployed and is gone again: someone else deletes it');
    });
  }

  async describe(jobId: JobId, signal: AbortSignal | undefined): Promise<Deployment | undefined> {
    return inScope(signal, TIMEOUT_MS, (scope) => this.#describe(jobId, scope));
  }

  /** All functions in the region that this executor would call by the same name; of all pages. */
  async list(signal: AbortSignal | undefined): Promise<Deployment[]> {
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const found: Deployment[] = [];
      let Marker: string | undefined;
      do {
        const page = await this.#control.send('the list of functions', scope, (client, sdk, options) =>
          client.send(new sdk.ListFunctionsCommand({ ...(Marker !== undefined && { Marker }) }), options),
        );
        for (const current of page.Functions ?? []) {
          const jobId = this.#jobIdOf(current);
          if (jobId !== undefined) found.push(deployment(jobId, current, this.#settings.alias));
        }
        Marker = page.NextMarker || undefined;
      } while (Marker !== undefined);
      return found;
    });
  }

  async health(jobId: JobId, signal: AbortSignal | undefined): Promise<Health> {
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const current = await this.configuration(jobId, scope);
      return current === undefined ? { status: 'missing' } : healthOf(current);
    });
  }

  /** What is called, as it is configured: the version behind `qualifier`, or `$LATEST`. */
  configuration(jobId: JobId, scope: CallScope): Promise<FunctionConfiguration | undefined> {
    const FunctionName = functionNameOf(this.#settings, jobId);
    const { qualifier: Qualifier } = this.#settings;
    return this.#control.find(FunctionName, scope, (client, sdk, options) =>
      client.send(
        new sdk.GetFunctionConfigurationCommand({
          FunctionName,
          ...(Qualifier !== undefined && { Qualifier }),
        }),
        options,
      ),
    );
  }

  /** How many instances AWS keeps ready for the alias; undefined where it keeps none. */
  async provisioned(jobId: JobId, scope: CallScope): Promise<number | undefined> {
    const { alias: Qualifier } = this.#settings;
    if (Qualifier === undefined) return undefined;
    const FunctionName = functionNameOf(this.#settings, jobId);
    const found = await this.#control.find(FunctionName, scope, (client, sdk, options) =>
      client.send(new sdk.GetProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier }), options),
    );
    return found?.AvailableProvisionedConcurrentExecutions;
  }

  /** With its versions and aliases. Its log stays. */
  async undeploy(jobId: JobId, signal: AbortSignal | undefined): Promise<void> {
    const FunctionName = functionNameOf(this.#settings, jobId);
    return inScope(signal, this.#settings.deployTimeoutMs, async (scope) => {
      for (;;) {
        try {
          await this.#control.find(FunctionName, scope, (client, sdk, options) =>
            client.send(new sdk.DeleteFunctionCommand({ FunctionName }), options),
          );
          return;
        } catch (failure) {
          // It is being changed: it can be deleted once that is over.
          if (!FaasError.is(failure) || failure.status !== 409) throw failure;
          await sleep(this.#settings.pollMs, scope);
        }
      }
    });
  }

  async #describe(jobId: JobId, scope: CallScope): Promise<Deployment | undefined> {
    const FunctionName = functionNameOf(this.#settings, jobId);
    const found = await this.#control.find(FunctionName, scope, (client, sdk, options) =>
      client.send(new sdk.GetFunctionCommand({ FunctionName }), options),
    );
    if (found?.Configuration === undefined) return undefined;
    const reserved = found.Concurrency?.ReservedConcurrentExecutions;
    return deployment(jobId, found.Configuration, this.#settings.alias, reserved);
  }

  #jobIdOf(current: FunctionConfiguration): JobId | undefined {
    const text = current.Environment?.Variables?.[JOB_ID_VARIABLE];
    const jobId = Number(text);
    const isOurs = text !== undefined && Number.isInteger(jobId) && jobId >= 0 && jobId <= 0xffff_ffff;
    // The same job under another name is another executor's.
    return isOurs && this.#settings.functionName(jobId) === current.FunctionName ? jobId : undefined;
  }

  #error(code: 'CONFLICT', jobId: JobId, why: string): FaasError {
    const functionName = functionNameOf(this.#settings, jobId);
    return new FaasError({
      code,
      executed: 'no',
      provider: PROVIDER,
      functionName,
      message: `${functionName} ${why}.`,
    });
  }
}

/** Only what AWS states. */
function deployment(
  jobId: JobId,
  current: FunctionConfiguration,
  alias: string | undefined,
  maxConcurrency?: number,
): Deployment {
  const { FunctionName, FunctionArn, MemorySize, Timeout, LastModified, CodeSize, CodeSha256 } = current;
  if (FunctionName === undefined || FunctionArn === undefined)
    throw config('got a function without a name from AWS');
  const modified = LastModified === undefined ? Number.NaN : Date.parse(LastModified);
  return {
    jobId,
    functionName: FunctionName,
    provider: PROVIDER,
    endpoint: alias === undefined ? FunctionArn : `${FunctionArn}:${alias}`,
    ...(MemorySize !== undefined && { memoryMb: MemorySize }),
    ...(Timeout !== undefined && { timeoutSecs: Timeout }),
    ...(maxConcurrency !== undefined && { maxConcurrency }),
    ...(!Number.isNaN(modified) && { deployedAt: new Date(modified).toISOString() }),
    ...(CodeSize !== undefined && { artifactBytes: CodeSize }),
    ...(CodeSha256 !== undefined && { sha256: Buffer.from(CodeSha256, 'base64').toString('hex') }),
  };
}
