/** deployJob: reads what is there, writes what differs, waits until Google is done with it. */
import { FaasError } from '../../core/errors.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { DeployJournal } from '../shared/deploy-journal.js';
import type { CloudFunction, ControlPlane } from './control-plane.js';
import { differences, type MaskPath } from './diff.js';
import type { FunctionSpec } from './function-spec.js';
import { failedError, operationError, reasonOf, stageText, standingOf } from './function-state.js';
import { type DeployStep, PROVIDER, type Settings } from './options.js';
import type { Rest } from './rest.js';

/** Someone else's change gets in between this often before it is an error. */
const CONFLICT_TRIES = 5;

export class Deploy {
  readonly #settings: Settings;
  readonly #control: ControlPlane;
  readonly #rest: Rest;
  readonly #spec: FunctionSpec;
  readonly #scope: CallScope;
  readonly #journal: DeployJournal<DeployStep>;

  constructor(settings: Settings, control: ControlPlane, rest: Rest, spec: FunctionSpec, scope: CallScope) {
    this.#settings = settings;
    this.#control = control;
    this.#rest = rest;
    this.#spec = spec;
    this.#scope = scope;
    this.#journal = new DeployJournal<DeployStep>('read', spec, settings.onProgress);
  }

  /** @throws {FaasError} that names the step, what is done and what remains */
  async run(): Promise<CloudFunction> {
    try {
      this.#journal.begin('read');
      const current = await this.#settled();
      const deployed = await this.#converge(current);
      await this.#permit(deployed);
      this.#journal.begin('done');
      return deployed;
    } catch (failure) {
      throw this.#journal.explain(failure);
    }
  }

  /** A second deployer, or a create whose answer was lost, shows as a conflict: then what is there is read anew. */
  async #converge(first: CloudFunction | undefined): Promise<CloudFunction> {
    let current = first;
    for (let tries = 1; ; tries += 1) {
      try {
        const changed = await this.#write(current);
        return changed ?? (current as CloudFunction);
      } catch (failure) {
        if (!isConflict(failure) || tries === CONFLICT_TRIES) throw failure;
        await sleep(this.#settings.pollMs, this.#scope);
        current = await this.#settled();
      }
    }
  }

  /** Undefined when there is nothing to do. */
  async #write(current: CloudFunction | undefined): Promise<CloudFunction | undefined> {
    const { functionName, wanted } = this.#spec;
    if (current === undefined) {
      const complete = await this.#withSource(wanted);
      this.#journal.begin('create');
      await this.#finish(await this.#control.create(functionName, complete, this.#scope), 'create');
      return this.#active();
    }
    const paths = this.#toReplace(current);
    if (paths.length === 0) return undefined;
    // The source goes with the code only: a new configuration needs no new build.
    const complete = paths.includes('build_config') ? await this.#withSource(wanted) : wanted;
    this.#journal.begin('update');
    await this.#finish(await this.#control.update(functionName, complete, paths, this.#scope), 'update');
    return this.#active();
  }

  #toReplace(current: CloudFunction): MaskPath[] {
    // What failed is made whole again, whatever its labels say.
    if (standingOf(current) === 'failed') return ['build_config', 'service_config', 'labels'];
    return differences(this.#spec.wanted, current);
  }

  async #withSource(fn: CloudFunction): Promise<CloudFunction> {
    const { functionName, artifact } = this.#spec;
    this.#journal.begin('upload');
    const { url, source } = await this.#control.uploadTarget(functionName, this.#scope);
    await this.#rest.upload(url, artifact.bytes, functionName, this.#scope);
    this.#journal.written('upload');
    return { ...fn, buildConfig: { ...fn.buildConfig, source: { storageSource: source } } };
  }

  async #finish(operation: string, step: DeployStep): Promise<void> {
    this.#journal.written(step);
    for (;;) {
      const state = await this.#control.operation(operation, this.#spec.functionName, this.#scope);
      if (state.error !== undefined) throw operationError(state, this.#place());
      if (state.isDone) return;
      this.#journal.waitFor('wait', stageText(state));
      await sleep(this.#settings.pollMs, this.#scope);
    }
  }

  /** An operation that ended well is no proof that the function did. */
  async #active(): Promise<CloudFunction> {
    const current = await this.#settled();
    if (current !== undefined && standingOf(current) === 'active') return current;
    if (current !== undefined) throw failedError(current, this.#place());
    throw new FaasError({
      code: 'CONFLICT',
      executed: 'no',
      provider: PROVIDER,
      functionName: this.#spec.functionName,
      message: 'The function is gone: someone else has deleted it meanwhile.',
    });
  }

  /** Waits until Google is done with whatever it does to the function, well or badly. */
  async #settled(): Promise<CloudFunction | undefined> {
    for (;;) {
      const current = await this.#control.get(this.#spec.functionName, this.#scope);
      if (current === undefined) return undefined;
      const standing = standingOf(current);
      if (standing === 'active' || standing === 'failed') return current;
      this.#journal.waitFor('wait', reasonOf(current));
      await sleep(this.#settings.pollMs, this.#scope);
    }
  }

  async #permit({ serviceConfig }: CloudFunction): Promise<void> {
    const { invokers, functionName } = this.#spec;
    const service = serviceConfig?.service;
    if (invokers === undefined || !service) return;
    this.#journal.at('permit');
    await this.#rest.allow(service, invokers, functionName, this.#scope, () => {
      this.#journal.begin('permit');
    });
  }

  #place() {
    const { functionName } = this.#spec;
    return { provider: PROVIDER, functionName, origin: 'Google Cloud' };
  }
}

/** ALREADY_EXISTS, ABORTED, and a precondition that fails because an operation runs. */
function isConflict(failure: unknown): boolean {
  if (!FaasError.is(failure)) return false;
  if (failure.code === 'CONFLICT') return true;
  return /FAILED_PRECONDITION/.test(failure.message) && /in progress|DEPLOYING/i.test(failure.message);
}
