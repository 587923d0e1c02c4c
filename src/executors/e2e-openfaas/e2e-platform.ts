/** The profile `e2e-platform`: `/faas/api/v1` of E2E's design documents. Ids, archives, updates by group. */
import { isDeepStrictEqual } from 'node:util';
import { FaasError } from '../../core/errors.js';
import type { Artifact, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { type CallScope, sleep } from '../../core/scope.js';
import type { DeployJournal } from '../shared/deploy-journal.js';
import { type Fields, isObject, parseJson, textOf } from '../shared/json.js';
import { type Api, type ApiRequest, isDoubtful } from './api.js';
import { readListedLogs } from './e2e-logs.js';
import { platformSecrets } from './e2e-secrets.js';
import { type E2eSpec, e2eSpec } from './e2e-spec.js';
import { readMarks, textsOf } from './marks.js';
import { type DeployStep, type E2eOpenFaasFunctionConfig, PROVIDER } from './options.js';
import { OwnNamespace } from './own-namespace.js';
import {
  type DeployPlan,
  given,
  type Profile,
  type RemoteFunction,
  type Secrets,
  stateOf,
} from './profile.js';
import type { Settings } from './settings.js';

/** Someone else's change of the same function is waited for this often. */
const CONFLICT_TRIES = 5;
/** Asked for at once: a follower must miss nothing between two looks. */
const LOG_LINES = 1000;

export class E2ePlatformProfile implements Profile {
  readonly secrets: Secrets;
  readonly #settings: Settings;
  readonly #api: Api;
  readonly #own: OwnNamespace;
  /** Name -> id, as the list had it. */
  readonly #ids = new Map<string, string>();

  constructor(settings: Settings, api: Api) {
    this.#settings = settings;
    this.#api = api;
    this.#own = new OwnNamespace(settings.namespace);
    this.secrets = platformSecrets(api, settings.namespace);
  }

  plan(jobId: JobId, artifact: Artifact, config: Partial<E2eOpenFaasFunctionConfig>): DeployPlan {
    const spec = e2eSpec(this.#settings, jobId, artifact, config);
    const { functionName, digest, minReplicas } = spec;
    const apply: DeployPlan['apply'] = (current, journal, scope) =>
      current === undefined
        ? this.#create(spec, journal, scope)
        : this.#update(spec, current, journal, scope);
    return { jobId, functionName, digest, mayIdle: minReplicas === 0, apply };
  }

  async read(functionName: string, scope: CallScope): Promise<RemoteFunction | undefined> {
    const known = this.#ids.get(functionName);
    if (known !== undefined) {
      const found = await this.#byId(known, functionName, scope);
      if (found !== undefined) return found;
      this.#ids.delete(functionName);
    }
    const listed = this.#own.find(await this.#listAll(scope), functionName);
    if (listed === undefined) return undefined;
    this.#ids.set(functionName, listed.id);
    // A list need not hold all that the function itself says.
    return this.#byId(listed.id, functionName, scope);
  }

  async list(scope: CallScope): Promise<RemoteFunction[]> {
    return this.#own.within(await this.#listAll(scope));
  }

  /** Of every namespace. */
  async #listAll(scope: CallScope): Promise<RemoteFunction[]> {
    const listed = await this.#json(
      { method: 'GET', path: '/functions', what: 'the list of functions' },
      scope,
    );
    const list = isObject(listed) ? (listed['functions'] ?? listed['data']) : listed;
    return (Array.isArray(list) ? list.filter(isObject) : []).map(functionOf);
  }

  async remove(functionName: string, scope: CallScope): Promise<void> {
    const found = await this.read(functionName, scope);
    if (found === undefined) return;
    await this.#api.send({ method: 'DELETE', path: pathOf(found.id), what: functionName }, scope, [404]);
  }

  async scale({ id, name }: RemoteFunction, replicas: number, scope: CallScope): Promise<void> {
    await this.#api.send(
      { method: 'POST', path: `${pathOf(id)}/scale`, body: { replicas }, what: name },
      scope,
    );
  }

  async *logs(functionName: string, options: LogOptions, scope: CallScope) {
    const id = (await this.read(functionName, scope))?.id ?? '';
    const request = { method: 'GET', path: `${pathOf(id)}/logs`, what: functionName } as const;
    // The documents name no parameters. Ours takes these; one that refuses them is asked without.
    const query = {
      tail: String(Math.max(options.tail ?? 0, LOG_LINES)),
      since: options.since?.toISOString(),
    };
    const page = async () => {
      const reply = await this.#api.send({ ...request, query }, scope, [400, 422]);
      return reply.status < 300 ? parseJson(reply.body) : this.#json(request, scope);
    };
    yield* readListedLogs(page, options, scope);
  }

  async #byId(id: string, functionName: string, scope: CallScope): Promise<RemoteFunction | undefined> {
    const reply = await this.#api.send({ method: 'GET', path: pathOf(id), what: functionName }, scope, [404]);
    const fields = reply.status === 404 ? undefined : parseJson(reply.body);
    return isObject(fields) ? functionOf(fields) : undefined;
  }

  async #create(spec: E2eSpec, journal: DeployJournal<DeployStep>, scope: CallScope): Promise<void> {
    const { functionName, runtime, template } = spec;
    const { namespace } = this.#settings;
    journal.begin('create');
    const body = {
      name: functionName,
      runtime: runtime.name,
      template,
      ...(namespace !== undefined && { namespace }),
      ...codeGroup(spec),
      config: configGroup(spec),
      ...environmentGroup(spec),
      ...metadataGroup(spec, this.#own.mark()),
    };
    try {
      const made = await this.#json({ method: 'POST', path: '/functions', body, what: functionName }, scope);
      const id = isObject(made) ? textOf(made['id']) : undefined;
      if (id !== undefined) this.#ids.set(functionName, id);
      if (namespace === undefined && isObject(made)) this.#own.learn(textOf(made['namespace']));
    } catch (failure) {
      // Its answer was lost, or someone else was first: the list knows. A create is never sent again blindly.
      const isThere = FaasError.is(failure) && failure.code === 'CONFLICT';
      if (isThere && namespace === undefined) await this.#learnFrom(functionName, scope);
      const found = isThere || isDoubtful(failure) ? await this.read(functionName, scope) : undefined;
      if (found === undefined) throw failure;
      if (found.digest !== spec.digest) return this.#update(spec, found, journal, scope);
    }
    journal.written('create');
  }

  /** A name that cannot be had without a namespace is taken in the account's own. */
  async #learnFrom(functionName: string, scope: CallScope): Promise<void> {
    const [taken, another] = (await this.#listAll(scope)).filter(({ name }) => name === functionName);
    if (another === undefined) this.#own.learn(taken?.namespace);
  }

  /** Marks go last, with the metadata: until they are there, another deploy writes again what differs. */
  async #update(
    spec: E2eSpec,
    current: RemoteFunction,
    journal: DeployJournal<DeployStep>,
    scope: CallScope,
  ): Promise<void> {
    const { id, fields = {}, sha256 } = current;
    refuseReplacement(spec, fields);
    journal.begin('update');
    const put = async (group: string, body: object) => {
      await this.#put(`${pathOf(id)}/${group}`, body, spec.functionName, scope);
      journal.written('update');
    };
    const code = codeGroup(spec);
    const { handler_function: handler, requirements } = fields;
    const sameHandler = handler === undefined || handler === spec.handler;
    const sameRequirements = (requirements ?? undefined) === spec.requirements;
    const isFailed = stateOf(fields['status']) === 'failed';
    if (isFailed || sha256 !== spec.artifact.sha256 || !sameHandler || !sameRequirements)
      await put('code', code);
    const config = configGroup(spec);
    const now = isObject(fields['config']) ? fields['config'] : {};
    if (Object.entries(config).some(([name, value]) => now[name] !== value)) await put('config', config);
    const environment = environmentGroup(spec);
    if (!isDeepStrictEqual(environmentOf(fields), environment)) await put('environment', environment);
    await put('metadata', metadataGroup(spec, this.#own.mark(current)));
  }

  async #put(path: string, body: object, what: string, scope: CallScope): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const reply = await this.#api.send({ method: 'PUT', path, body, what }, scope, [409]);
      if (reply.status !== 409) return;
      if (tries === CONFLICT_TRIES) throw this.#api.refusal(reply, what);
      await sleep(this.#settings.pollMs, scope);
    }
  }

  async #json(request: ApiRequest, scope: CallScope): Promise<unknown> {
    return parseJson((await this.#api.send(request, scope)).body);
  }
}

const pathOf = (id: string) => `/functions/${encodeURIComponent(id)}`;

function functionOf(fields: Fields): RemoteFunction {
  const config = isObject(fields['config']) ? fields['config'] : {};
  const { memory_mb: memoryMb, timeout_seconds: timeoutSecs, replicas } = config;
  const [status, reason] = [textOf(fields['status']) ?? 'no status', textOf(fields['error_message'])];
  const annotations = textsOf(fields['annotations']);
  return given<RemoteFunction>({
    ...readMarks(annotations),
    id: String(fields['id'] ?? ''),
    name: textOf(fields['name']) ?? '',
    namespace: textOf(fields['namespace']),
    state: stateOf(status),
    stateText: reason === undefined ? status : `${status}: ${reason}`,
    invokeUrl: textOf(fields['invoke_url']),
    memoryMb: typeof memoryMb === 'number' ? memoryMb : undefined,
    timeoutSecs: typeof timeoutSecs === 'number' ? timeoutSecs : undefined,
    replicas: typeof replicas === 'number' ? replicas : undefined,
    deployedAt: textOf(fields['updated_at']) ?? textOf(fields['created_at']),
    fields,
  });
}

function codeGroup({ handler, requirements, image, artifact }: E2eSpec) {
  const { bytes, sha256 } = artifact;
  return {
    handler_function: handler,
    ...(requirements !== undefined && { requirements }),
    ...(image === undefined
      ? { code_archive: Buffer.from(bytes).toString('base64'), code_sha256: sha256 }
      : { image }),
  };
}

function configGroup({ memoryMb, timeoutSecs, minReplicas, maxReplicas, hardware }: E2eSpec) {
  return {
    memory_mb: memoryMb,
    timeout_seconds: timeoutSecs,
    hardware_type: hardware,
    min_scale: minReplicas,
    max_scale: maxReplicas,
  };
}

const environmentGroup = ({ environment, secrets }: E2eSpec) => ({ environment, secrets });

const metadataGroup = (
  { labels, annotations, marks }: E2eSpec,
  namespaceMark: Readonly<Record<string, string>>,
) => ({
  labels,
  annotations: { ...annotations, ...marks, ...namespaceMark },
});

/** As it is now, in the form of a request: secrets are a set. */
function environmentOf({ environment, secrets }: Fields) {
  return {
    environment: { ...textsOf(environment) },
    secrets: (Array.isArray(secrets) ? [...secrets] : []).sort(),
  };
}

function refuseReplacement({ functionName, runtime, template, hardware }: E2eSpec, fields: Fields): void {
  const config = isObject(fields['config']) ? fields['config'] : {};
  const changes: [string, unknown, unknown][] = [
    ['runtime', fields['runtime'], runtime.name],
    ['template', fields['template'], template],
    ['hardware', config['hardware_type'], hardware],
  ];
  for (const [field, now, wanted] of changes) {
    if (now === undefined || now === null || now === wanted) continue;
    const message = `\`e2e.${field}\` of ${functionName} is ${String(now)} and cannot become ${String(wanted)}: undeploy it first.`;
    throw new FaasError({ code: 'CONFIG', executed: 'no', provider: PROVIDER, functionName, message });
  }
}
