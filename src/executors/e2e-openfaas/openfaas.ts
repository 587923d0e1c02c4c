/** The profile `openfaas`: a gateway's own API. Names and paths as in faas-provider f53fe636. */
import { FaasError } from '../../core/errors.js';
import type { Artifact, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { CallScope } from '../../core/scope.js';
import type { DeployJournal } from '../shared/deploy-journal.js';
import { isObject, parseJson, parseObject, textOf } from '../shared/json.js';
import type { Api } from './api.js';
import { readMarks, textsOf } from './marks.js';
import { readGatewayLogs } from './openfaas-logs.js';
import { DEFAULT_NAMESPACE, type OpenFaasSpec, openFaasSpec } from './openfaas-spec.js';
import { gatewayNamespaces, gatewaySecrets } from './openfaas-stores.js';
import { type DeployStep, type E2eOpenFaasFunctionConfig, PROVIDER } from './options.js';
import { type DeployPlan, type FunctionState, given, type Profile, type RemoteFunction } from './profile.js';
import type { Settings } from './settings.js';
import { memoryMbOf, secondsOf } from './units.js';

/** Go leaves out zeros: no `replicas` is none, and the time of the year 1 is no time. */
const NO_TIME = /^0001-/;

export class OpenFaasProfile implements Profile {
  readonly invents = true;
  readonly secrets;
  readonly namespaces;
  readonly #settings: Settings;
  readonly #api: Api;
  readonly #namespace: string;

  constructor(settings: Settings, api: Api) {
    this.#settings = settings;
    this.#api = api;
    this.#namespace = settings.namespace ?? DEFAULT_NAMESPACE;
    this.secrets = gatewaySecrets(api, this.#namespace);
    this.namespaces = gatewayNamespaces(api);
  }

  plan(jobId: JobId, artifact: Artifact, config: Partial<E2eOpenFaasFunctionConfig>): DeployPlan {
    const spec = openFaasSpec(this.#settings, jobId, artifact, config);
    const { functionName, digest, minReplicas } = spec;
    let image: Promise<string> | undefined;
    const apply: DeployPlan['apply'] = async (_current, journal, scope) => {
      // Built once, however often the gateway has to be asked.
      image ??= imageOf(spec, artifact, journal, scope);
      await this.#write(spec, await image, journal, scope);
    };
    return { jobId, functionName, digest, mayIdle: minReplicas === 0, apply };
  }

  async read(functionName: string, scope: CallScope): Promise<RemoteFunction | undefined> {
    const path = `/system/function/${encodeURIComponent(functionName)}`;
    const query = { namespace: this.#namespace };
    const reply = await this.#api.send({ method: 'GET', path, query, what: functionName }, scope, [404]);
    const status = reply.status === 404 ? undefined : parseObject(reply.body);
    return status === undefined ? undefined : this.#functionOf(status);
  }

  async list(scope: CallScope): Promise<RemoteFunction[]> {
    const query = { namespace: this.#namespace };
    const request = {
      method: 'GET',
      path: '/system/functions',
      query,
      what: 'the list of functions',
    } as const;
    // A provider without functions may say `null`.
    const list = parseJson((await this.#api.send(request, scope)).body) ?? [];
    return (Array.isArray(list) ? list.filter(isObject) : []).map((status) => this.#functionOf(status));
  }

  /** The namespace goes twice: one provider reads the body, the other the query. */
  async remove(functionName: string, scope: CallScope): Promise<void> {
    const namespace = this.#namespace;
    const body = { functionName, namespace };
    const path = '/system/functions';
    await this.#api.send(
      { method: 'DELETE', path, query: { namespace }, body, what: functionName },
      scope,
      [404],
    );
  }

  async scale({ name }: RemoteFunction, replicas: number, scope: CallScope): Promise<void> {
    const namespace = this.#namespace;
    const path = `/system/scale-function/${encodeURIComponent(name)}`;
    const body = { serviceName: name, replicas, namespace };
    await this.#api.send({ method: 'POST', path, query: { namespace }, body, what: name }, scope);
  }

  logs(functionName: string, options: LogOptions, scope: CallScope) {
    return readGatewayLogs(this.#api, functionName, this.#namespace, options, scope);
  }

  /** `GET /system/info`; `provider` is null while the gateway cannot reach it. */
  async info(scope: CallScope): Promise<object> {
    const request = { method: 'GET', path: '/system/info', what: 'the gateway' } as const;
    return parseObject((await this.#api.send(request, scope)).body) ?? {};
  }

  callUrl(functionName: string): string {
    return this.#url('function', functionName, this.#namespace);
  }

  asyncUrl(functionName: string): string {
    return this.#url('async-function', functionName, this.#namespace);
  }

  async #write(
    { functionName, deployment }: OpenFaasSpec,
    image: string,
    journal: DeployJournal<DeployStep>,
    scope: CallScope,
  ): Promise<void> {
    const body = { ...deployment, image };
    const send = async (method: 'POST' | 'PUT') => {
      const step = method === 'PUT' ? 'update' : 'create';
      journal.begin(step);
      const request = { method, path: '/system/functions', body, what: functionName } as const;
      const { status } = await this.#api.send(request, scope, method === 'PUT' ? [404] : []);
      if (status !== 404) journal.written(step);
      return status;
    };
    // As faas-cli does: PUT, and POST only after its 404. A provider that invents functions is seen through too.
    if ((await send('PUT')) !== 404) return;
    try {
      await send('POST');
    } catch (failure) {
      // Someone else made it in between.
      if (!FaasError.is(failure) || failure.code !== 'CONFLICT') throw failure;
      await send('PUT');
    }
  }

  #functionOf(status: Readonly<Record<string, unknown>>): RemoteFunction {
    const name = textOf(status['name']) ?? '';
    const namespace = textOf(status['namespace']) ?? this.#namespace;
    const [replicas, available] = [countOf(status['replicas']), countOf(status['availableReplicas'])];
    const environment = textsOf(status['envVars']);
    const limits = textsOf(status['limits']);
    const createdAt = textOf(status['createdAt']);
    const inflight = countOf(Number(environment['max_inflight']));
    const copies = countOf(Number(textsOf(status['labels'])['com.openfaas.scale.max'])) || 1;
    return given<RemoteFunction>({
      id: `${name}.${namespace}`,
      name,
      namespace,
      state: stateOf(replicas, available),
      stateText: `${available} of ${replicas} replicas available`,
      invokeUrl: this.#url('function', name, namespace),
      ...readMarks(textsOf(status['annotations'])),
      memoryMb: memoryMbOf(limits['memory']),
      timeoutSecs: secondsOf(environment['exec_timeout']),
      maxConcurrency: inflight > 0 ? inflight * copies : undefined,
      deployedAt: createdAt === undefined || NO_TIME.test(createdAt) ? undefined : createdAt,
      replicas,
    });
  }

  #url(kind: 'function' | 'async-function', name: string, namespace: string): string {
    const { origin, pathname } = this.#settings.url;
    return `${origin}${pathname.replace(/\/+$/, '')}/${kind}/${encodeURIComponent(name)}.${namespace}`;
  }
}

async function imageOf(
  { image, jobId, functionName }: OpenFaasSpec,
  { bytes, sha256 }: Artifact,
  journal: DeployJournal<DeployStep>,
  { signal }: CallScope,
): Promise<string> {
  if (typeof image === 'string') return image;
  journal.begin('image');
  const reference = await image({ jobId, functionName, zip: bytes, sha256, signal });
  if (/^\S+$/.test(reference)) return reference;
  const message = `\`openfaas.image\` gave no reference of an image for ${functionName}.`;
  throw new FaasError({ code: 'CONFIG', executed: 'no', provider: PROVIDER, functionName, message });
}

/** There is no state in the API: copies that can be called are all it counts. */
function stateOf(replicas: number, available: number): FunctionState {
  if (available >= 1) return 'running';
  return replicas >= 1 ? 'deploying' : 'idle';
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
}
