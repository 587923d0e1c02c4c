/** deployJob and the rest of a function's life. Every step reads first and writes only what differs. */
import { FaasError } from '../../core/errors.js';
import type { Artifact, Deployment, Health } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { CallScope } from '../../core/scope.js';
import { DeployJournal } from '../shared/deploy-journal.js';
import { inScope } from '../shared/in-scope.js';
import { type Fields, isObject } from '../shared/json.js';
import { actionOf, annotation, CODE_SHA256, codeBytes, isSame, JOB_ID } from './action.js';
import { actionPath, type FunctionsApi } from './functions-api.js';
import { makeTrigger, removeTrigger } from './keep-warm.js';
import type { Namespace, Namespaces } from './namespace.js';
import {
  type DeployStep,
  type DigitalOceanFunctionConfig,
  functionNameOf,
  PROVIDER,
  type Settings,
} from './options.js';

const TIMEOUT_MS = 120_000;
const PAGE = 200;

export class Lifecycle {
  readonly #settings: Settings;
  readonly #namespaces: Namespaces;
  readonly #api: FunctionsApi;

  constructor(settings: Settings, namespaces: Namespaces, api: FunctionsApi) {
    this.#settings = settings;
    this.#namespaces = namespaces;
    this.#api = api;
  }

  async deploy(
    jobId: JobId,
    artifact: Artifact,
    partial: Partial<DigitalOceanFunctionConfig>,
    signal: AbortSignal | undefined,
  ): Promise<Deployment> {
    const action = actionOf(this.#settings, jobId, artifact, partial);
    const journal = new DeployJournal<DeployStep>('namespace', action, this.#settings.onProgress);
    return inScope(signal, this.#settings.deployTimeoutMs, async (scope) => {
      try {
        journal.begin('namespace');
        const namespace = await this.#namespaces.findOrMake(scope);
        journal.begin('read');
        const { functionName, keepWarm, body } = action;
        let current = await this.#read(functionName, scope);
        const { control } = this.#namespaces;
        const trigger = {
          control,
          namespaceId: namespace.id,
          functionName,
          begin: () => journal.begin('trigger'),
        };
        // Before other code is there: it may be code that a ping would run.
        if (!keepWarm) await removeTrigger(trigger, scope);
        if (current === undefined || !isSame(current, action)) {
          journal.begin('write');
          const bytes = Buffer.from(JSON.stringify(body));
          // The same PUT may be sent again: it replaces the whole.
          const path = `${actionPath(functionName)}?overwrite=true`;
          current = fieldsOf(await this.#api.ask('PUT', path, functionName, scope, bytes));
          journal.written('write');
        }
        if (keepWarm) await makeTrigger(trigger, scope);
        journal.begin('done');
        return this.#deployment(jobId, current, namespace);
      } catch (failure) {
        throw journal.explain(failure);
      }
    });
  }

  describe(jobId: JobId, signal: AbortSignal | undefined): Promise<Deployment | undefined> {
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const namespace = await this.#namespaces.find(scope);
      if (namespace === undefined) return undefined;
      const current = await this.#read(functionNameOf(this.#settings, jobId), scope);
      return current === undefined ? undefined : this.#deployment(jobId, current, namespace);
    });
  }

  /** Of all pages; only functions that carry a job id and the name this executor gives it. */
  list(signal: AbortSignal | undefined): Promise<Deployment[]> {
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const namespace = await this.#namespaces.find(scope);
      if (namespace === undefined) return [];
      const found: Deployment[] = [];
      for (let skip = 0; ; skip += PAGE) {
        const path = `/api/v1/namespaces/_/actions?limit=${PAGE}&skip=${skip}`;
        const page = await this.#api.ask('GET', path, 'the list of functions', scope);
        if (!Array.isArray(page)) throw noList();
        const actions = page.filter(isObject);
        for (const current of actions) {
          const jobId = Number(annotation(current, JOB_ID));
          if (!Number.isInteger(jobId) || current['name'] !== functionNameOf(this.#settings, jobId)) continue;
          found.push(this.#deployment(jobId, current, namespace));
        }
        if (page.length < PAGE) return found;
      }
    });
  }

  health(jobId: JobId, signal: AbortSignal | undefined): Promise<Health> {
    return inScope(signal, TIMEOUT_MS, async (scope): Promise<Health> => {
      const found = await this.find(jobId, scope);
      return { status: found === undefined ? 'missing' : 'healthy' };
    });
  }

  /** The function as OpenWhisk describes it. */
  async find(jobId: JobId, scope: CallScope): Promise<Fields | undefined> {
    if ((await this.#namespaces.find(scope)) === undefined) return undefined;
    return this.#read(functionNameOf(this.#settings, jobId), scope);
  }

  undeploy(jobId: JobId, signal: AbortSignal | undefined): Promise<void> {
    const functionName = functionNameOf(this.#settings, jobId);
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const namespace = await this.#namespaces.find(scope);
      if (namespace === undefined) return;
      const { control } = this.#namespaces;
      // First what would call it, then the function.
      await removeTrigger({ control, namespaceId: namespace.id, functionName, begin: () => {} }, scope);
      await this.#api.ask('DELETE', actionPath(functionName), functionName, scope);
    });
  }

  async #read(functionName: string, scope: CallScope): Promise<Fields | undefined> {
    const found = await this.#api.ask('GET', `${actionPath(functionName)}?code=false`, functionName, scope);
    return found === undefined ? undefined : fieldsOf(found);
  }

  #deployment(jobId: JobId, current: Fields, { client }: Namespace): Deployment {
    const functionName = functionNameOf(this.#settings, jobId);
    const limits = isObject(current['limits']) ? current['limits'] : {};
    const { memory, timeout } = limits;
    const sha256 = annotation(current, CODE_SHA256);
    const bytes = codeBytes(current);
    const updated = current['updated'];
    return {
      jobId,
      functionName,
      provider: PROVIDER,
      endpoint: `${client.origin}${actionPath(functionName)}`,
      ...(typeof memory === 'number' && { memoryMb: memory }),
      ...(typeof timeout === 'number' && { timeoutSecs: timeout / 1000 }),
      ...(typeof sha256 === 'string' && { sha256 }),
      ...(bytes !== undefined && { artifactBytes: bytes }),
      ...(typeof updated === 'number' && { deployedAt: new Date(updated).toISOString() }),
    };
  }
}

function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

function noList(): FaasError {
  const message = 'DigitalOcean answered the list of functions with something that is no list.';
  return new FaasError({ code: 'PROTOCOL', executed: 'no', provider: PROVIDER, message });
}
