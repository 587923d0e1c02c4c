/** deployJob and the rest of a function's life. Every step reads first and writes only what differs. */
import { FaasError } from '../../core/errors.js';
import type { Artifact, Deployment, Health } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { DeployJournal } from '../shared/deploy-journal.js';
import type { WarmEvent } from '../shared/entry/event.js';
import { inScope } from '../shared/in-scope.js';
import { type Fields, isObject, parseObject } from '../shared/json.js';
import { type Action, actionOf, annotation, CODE_SHA256, codeBytes, isSame, JOB_ID } from './action.js';
import { type Client, notExecuted } from './client.js';
import { replyError } from './errors.js';
import { actionPath, type Invoker } from './invoke.js';
import type { Namespaces } from './namespace.js';
import {
  type DeployStep,
  type DigitalOceanFunctionConfig,
  functionNameOf,
  PROVIDER,
  type Settings,
} from './options.js';

const TIMEOUT_MS = 120_000;
const PAGE = 200;
/** Someone else's deploy of the same function is waited for this often. */
const CONFLICT_TRIES = 5;
/** Pings that are in flight together need an instance each. */
const HOLD_MS = 150;

export class Lifecycle {
  readonly #settings: Settings;
  readonly #namespaces: Namespaces;
  readonly #invoker: Invoker;

  constructor(settings: Settings, namespaces: Namespaces, invoker: Invoker) {
    this.#settings = settings;
    this.#namespaces = namespaces;
    this.#invoker = invoker;
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
        const { client, id } = await this.#namespaces.findOrMake(scope);
        journal.begin('read');
        let current = await this.#read(client, action.functionName, scope);
        if (current === undefined || !isSame(current, action)) {
          journal.begin('write');
          current = await this.#write(client, action, scope);
          journal.written('write');
        }
        await this.#keepWarm(id, action, scope, () => journal.begin('trigger'));
        journal.begin('done');
        return this.#deployment(jobId, current, client);
      } catch (failure) {
        throw journal.explain(failure);
      }
    });
  }

  describe(jobId: JobId, signal: AbortSignal | undefined): Promise<Deployment | undefined> {
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const found = await this.#find(jobId, scope);
      return found === undefined ? undefined : this.#deployment(jobId, found.current, found.client);
    });
  }

  /** Of all pages; only functions that carry a job id and the name this executor gives it. */
  list(signal: AbortSignal | undefined): Promise<Deployment[]> {
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const namespace = await this.#namespaces.find(scope);
      if (namespace === undefined) return [];
      const { client } = namespace;
      const found: Deployment[] = [];
      for (let skip = 0; ; skip += PAGE) {
        const path = `/api/v1/namespaces/_/actions?limit=${PAGE}&skip=${skip}`;
        const reply = await this.#ask(client, 'GET', path, 'the list of functions', scope);
        const page = JSON.parse(reply.body.toString('utf8')) as unknown;
        const actions = Array.isArray(page) ? page.filter(isObject) : [];
        for (const current of actions) {
          const jobId = Number(annotation(current, JOB_ID));
          if (!Number.isInteger(jobId) || current['name'] !== functionNameOf(this.#settings, jobId)) continue;
          found.push(this.#deployment(jobId, current, client));
        }
        if (actions.length < PAGE) return found;
      }
    });
  }

  health(jobId: JobId, signal: AbortSignal | undefined): Promise<Health> {
    return inScope(signal, TIMEOUT_MS, async (scope): Promise<Health> => {
      const found = await this.#find(jobId, scope);
      return { status: found === undefined ? 'missing' : 'healthy' };
    });
  }

  warm(jobId: JobId, instances: number, signal: AbortSignal | undefined): Promise<number> {
    const functionName = functionNameOf(this.#settings, jobId);
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      if ((await this.#find(jobId, scope)) === undefined) {
        const message = `${functionName} is not deployed on DigitalOcean, so it cannot be warmed.`;
        throw new FaasError({ code: 'NOT_FOUND', executed: 'no', provider: PROVIDER, functionName, message });
      }
      const ping: WarmEvent = { jobferry_warm: true, hold_ms: HOLD_MS };
      const answers = await Promise.all(
        Array.from({ length: instances }, () => this.#invoker.ping(functionName, ping, scope)),
      );
      const names = answers.filter(isObject).map((answer) => answer['instance']);
      return new Set(names.filter((name) => typeof name === 'string')).size;
    });
  }

  undeploy(jobId: JobId, signal: AbortSignal | undefined): Promise<void> {
    const functionName = functionNameOf(this.#settings, jobId);
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const namespace = await this.#namespaces.find(scope);
      if (namespace === undefined) return;
      const { client, id } = namespace;
      // First what would call it, then the function.
      if (id !== undefined && this.#settings.token !== undefined) {
        await this.#namespaces.ask('DELETE', triggerPath(id, functionName), scope);
      }
      const reply = await this.#send(client, 'DELETE', actionPath(functionName), functionName, scope);
      if (reply.status >= 300 && reply.status !== 404) {
        throw replyError(reply, 'functions', client.place(functionName), client.redact);
      }
    });
  }

  async #find(jobId: JobId, scope: CallScope): Promise<{ current: Fields; client: Client } | undefined> {
    const namespace = await this.#namespaces.find(scope);
    if (namespace === undefined) return undefined;
    const { client } = namespace;
    const current = await this.#read(client, functionNameOf(this.#settings, jobId), scope);
    return current === undefined ? undefined : { current, client };
  }

  async #read(client: Client, functionName: string, scope: CallScope): Promise<Fields | undefined> {
    const reply = await this.#send(
      client,
      'GET',
      `${actionPath(functionName)}?code=false`,
      functionName,
      scope,
    );
    if (reply.status === 404) return undefined;
    if (reply.status !== 200) throw replyError(reply, 'functions', client.place(functionName), client.redact);
    return parseObject(reply.body) ?? {};
  }

  /** The same PUT may be sent again: it replaces the whole. */
  async #write(client: Client, action: Action, scope: CallScope): Promise<Fields> {
    const { functionName, body } = action;
    const bytes = Buffer.from(JSON.stringify(body));
    for (let tries = 1; ; tries += 1) {
      const reply = await this.#send(
        client,
        'PUT',
        `${actionPath(functionName)}?overwrite=true`,
        functionName,
        scope,
        bytes,
      );
      if (reply.status === 200) return parseObject(reply.body) ?? {};
      const failure = replyError(reply, 'functions', client.place(functionName), client.redact);
      if (reply.status !== 409 || tries === CONFLICT_TRIES) throw failure;
      await sleep(this.#settings.pollMs, scope);
    }
  }

  /** A ping each minute keeps one instance; it is the entry's warm event, so that no job runs. */
  async #keepWarm(
    id: string | undefined,
    { functionName, keepWarm }: Action,
    scope: CallScope,
    begin: () => void,
  ): Promise<void> {
    if (id === undefined || this.#settings.token === undefined) return;
    const path = triggerPath(id, functionName);
    const there = await this.#namespaces.ask('GET', path, scope);
    if ((there !== undefined) === keepWarm) return;
    begin();
    if (!keepWarm) {
      await this.#namespaces.ask('DELETE', path, scope);
      return;
    }
    await this.#namespaces.ask('POST', triggersPath(id), scope, {
      name: triggerName(functionName),
      function: functionName,
      type: 'SCHEDULED',
      is_enabled: true,
      scheduled_details: { cron: '* * * * *', body: { jobferry_warm: true, hold_ms: 0 } },
    });
  }

  #send(
    client: Client,
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    functionName: string,
    scope: CallScope,
    body?: Uint8Array,
  ) {
    return client.send(method, path, functionName, scope, body).catch((failure: unknown) => {
      throw notExecuted(failure);
    });
  }

  async #ask(client: Client, method: 'GET', path: string, what: string, scope: CallScope) {
    const reply = await this.#send(client, method, path, what, scope);
    if (reply.status === 200) return reply;
    throw replyError(reply, 'functions', client.place(what), client.redact);
  }

  #deployment(jobId: JobId, current: Fields, { origin }: Client): Deployment {
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
      endpoint: `${origin}${actionPath(functionName)}`,
      ...(typeof memory === 'number' && { memoryMb: memory }),
      ...(typeof timeout === 'number' && { timeoutSecs: timeout / 1000 }),
      ...(typeof sha256 === 'string' && { sha256 }),
      ...(bytes !== undefined && { artifactBytes: bytes }),
      ...(typeof updated === 'number' && { deployedAt: new Date(updated).toISOString() }),
    };
  }
}

const triggerName = (functionName: string) => `${functionName}-keep-warm`;
const triggersPath = (id: string) => `/v2/functions/namespaces/${encodeURIComponent(id)}/triggers`;
const triggerPath = (id: string, functionName: string) =>
  `${triggersPath(id)}/${encodeURIComponent(triggerName(functionName))}`;
