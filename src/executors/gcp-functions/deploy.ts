/** deployJob: reads what is there, writes what differs, waits until Google is done with it. */
import { FaasError } from '../../core/errors.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { isTransient } from '../shared/control-retry.js';
import { DeployJournal } from '../shared/deploy-journal.js';
import type { CloudFunction, ControlPlane, StorageSource } from './control-plane.js';
import { differences, EVERYTHING, onto } from './diff.js';
import type { FunctionSpec } from './function-spec.js';
import { failedError, operationError, reasonOf, stageText, standingOf } from './function-state.js';
import { Invokers } from './invokers.js';
import { type DeployStep, PROVIDER, type Settings } from './options.js';
import { labelsFor, rememberedIn } from './remembered.js';
import type { Rest } from './rest.js';

/** Someone else's change gets in between, or Google has no time, this often before it is an error. */
const TRIES = 5;

export class Deploy {
  readonly #settings: Settings;
  readonly #control: ControlPlane;
  readonly #rest: Rest;
  readonly #spec: FunctionSpec;
  readonly #scope: CallScope;
  readonly #invokers: Invokers;
  readonly #journal: DeployJournal<DeployStep>;
  #uploaded: StorageSource | undefined;
  /** Hashes of the members that stand in the policy by our deploys; undefined before it was written. */
  #permitted: ReadonlySet<string> | undefined;
  /** A create or an update is on its way. */
  #isAsking = false;

  constructor(settings: Settings, control: ControlPlane, rest: Rest, spec: FunctionSpec, scope: CallScope) {
    this.#settings = settings;
    this.#control = control;
    this.#rest = rest;
    this.#spec = spec;
    this.#scope = scope;
    this.#invokers = new Invokers(settings, rest, spec.invokers, spec.functionName, scope);
    this.#journal = new DeployJournal<DeployStep>('read', spec, settings.onProgress);
  }

  /** @throws {FaasError} that names the step, what is done and what remains */
  async run(): Promise<CloudFunction> {
    try {
      this.#journal.begin('read');
      const deployed = await this.#permit(await this.#converge(await this.#settled()));
      this.#journal.begin('done');
      return deployed;
    } catch (failure) {
      throw this.#journal.explain(failure);
    }
  }

  /**
   * A second deployer, or a create whose answer was lost, shows as a conflict; a create or an update that Google has no
   * time for may have been taken all the same. Then what is there is read anew.
   */
  async #converge(first: CloudFunction | undefined): Promise<CloudFunction> {
    let current = first;
    for (let tries = 1; ; tries += 1) {
      try {
        const changed = await this.#write(current);
        return changed ?? (current as CloudFunction);
      } catch (failure) {
        const isOver = isConflict(failure) || (this.#isAsking && isTransient(failure));
        if (!isOver || tries === TRIES) throw failure;
        const askedMs = isTransient(failure) ? (failure.retryAfterMs ?? 0) : 0;
        if (askedMs >= this.#scope.deadline - Date.now()) throw failure;
        await sleep(Math.max(askedMs, this.#settings.pollMs * 2 ** (tries - 1)), this.#scope);
        current = await this.#settled();
      }
    }
  }

  /** Undefined when there is nothing to do. */
  async #write(current: CloudFunction | undefined): Promise<CloudFunction | undefined> {
    const { functionName } = this.#spec;
    this.#isAsking = false;
    const wanted = await this.#wanted(current);
    if (current === undefined) {
      const complete = await this.#withSource(wanted);
      this.#journal.begin('create');
      const operation = await this.#ask(() => this.#control.create(functionName, complete, this.#scope));
      await this.#finish(operation, 'create');
      return this.#active();
    }
    const target = onto(current, wanted);
    // What failed is made whole again, whatever its labels say.
    const paths = standingOf(current) === 'failed' ? [...EVERYTHING] : differences(target, current);
    if (paths.length === 0) return undefined;
    // The source goes with the code only: a new configuration needs no new build.
    const complete = paths.includes('build_config') ? await this.#withSource(target) : target;
    this.#journal.begin('update');
    const operation = await this.#ask(() => this.#control.update(functionName, complete, paths, this.#scope));
    await this.#finish(operation, 'update');
    return this.#active();
  }

  /** With the memory of who may call it. */
  async #wanted(current: CloudFunction | undefined): Promise<CloudFunction> {
    const { wanted } = this.#spec;
    const members = this.#permitted ?? (await this.#invokers.toRemember(current));
    return { ...wanted, labels: { ...wanted.labels, ...labelsFor('invokers', members) } };
  }

  async #ask(work: () => Promise<string>): Promise<string> {
    this.#isAsking = true;
    const operation = await work();
    this.#isAsking = false;
    return operation;
  }

  async #withSource(fn: CloudFunction): Promise<CloudFunction> {
    if (this.#uploaded === undefined) {
      const { functionName, artifact } = this.#spec;
      this.#journal.begin('upload');
      const { url, source } = await this.#control.uploadTarget(functionName, this.#scope);
      await this.#rest.upload(url, artifact.bytes, functionName, this.#scope);
      this.#journal.written('upload');
      this.#uploaded = source;
    }
    return { ...fn, buildConfig: { ...fn.buildConfig, source: { storageSource: this.#uploaded } } };
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

  async #permit(deployed: CloudFunction): Promise<CloudFunction> {
    this.#journal.at('permit');
    this.#permitted = await this.#invokers.permit(deployed, () => this.#journal.begin('permit'));
    // Whose access was taken back is forgotten, and only now.
    const isForgotten = this.#permitted.size < rememberedIn(deployed.labels, 'invokers').size;
    return isForgotten ? this.#converge(deployed) : deployed;
  }

  #place() {
    const { functionName } = this.#spec;
    return { provider: PROVIDER, functionName, origin: 'Google Cloud' };
  }
}

/** ALREADY_EXISTS, ABORTED, and a precondition that fails because an operation runs. */
export function isConflict(failure: unknown): boolean {
  if (!FaasError.is(failure)) return false;
  if (failure.code === 'CONFLICT') return true;
  return /FAILED_PRECONDITION/.test(failure.message) && /in progress|DEPLOYING/i.test(failure.message);
}
