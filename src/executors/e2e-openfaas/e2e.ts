/**
 * The profile `e2e`: E2E's account API, `myaccount/api/v1/faas`, as its own Terraform provider speaks it
 * (terraform-provider-e2e 8ebfbf1e, a60d1965, ca81f089). Not tried against E2E itself.
 */
import { FaasError, type FaasErrorCode } from '../../core/errors.js';
import type { Artifact, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { CallScope } from '../../core/scope.js';
import type { DeployJournal } from '../shared/deploy-journal.js';
import { type Fields, isObject, parseObject, textOf } from '../shared/json.js';
import { type Api, type ApiRequest, isDoubtful } from './api.js';
import { readListedLogs } from './e2e-logs.js';
import { type E2eSpec, e2eSpec } from './e2e-spec.js';
import { asEnvironment, readMarks, textsOf } from './marks.js';
import { type DeployStep, type E2eOpenFaasFunctionConfig, PROVIDER } from './options.js';
import {
  type DeployPlan,
  given,
  type Namespaces,
  type Profile,
  type RemoteFunction,
  stateOf,
} from './profile.js';
import { accountRuntimeId } from './runtimes.js';
import type { Settings } from './settings.js';

/** Paths and names exactly as the client has them: some with a slash at the end, some without. */
const TABLE = {
  functions: '/faas/functions',
  function: (id: string) => `/faas/function/${encodeURIComponent(id)}/`,
  logs: (id: string) => `/faas/logs/${encodeURIComponent(id)}/`,
  namespace: '/faas/namespace',
  /** An older client called it `code`. */
  code: 'code_inline',
} as const;

const HARMLESS: ReadonlySet<FaasErrorCode> = new Set([
  'INVALID_REQUEST',
  'CONFLICT',
  'NOT_FOUND',
  'UNSUPPORTED',
]);

export class E2eProfile implements Profile {
  readonly namespaces: Namespaces;
  readonly #settings: Settings;
  readonly #api: Api;

  constructor(settings: Settings, api: Api) {
    this.#settings = settings;
    this.#api = api;
    this.namespaces = {
      create: (name, scope) => this.#makeNamespace(name, scope),
      delete: async (name, scope) => {
        const query = { namespace: name };
        const request = {
          method: 'DELETE',
          path: TABLE.namespace,
          query,
          what: `the namespace ${name}`,
        } as const;
        await this.#data(request, scope, [404]);
      },
    };
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
    const known = await this.#settings.ids.get(functionName);
    if (known === undefined || !('id' in known)) return undefined;
    const request = { method: 'GET', path: TABLE.function(known.id), what: functionName } as const;
    const data = await this.#data(request, scope, [404]);
    if (isObject(data)) return functionOf(data, functionName);
    await this.#settings.ids.delete(functionName);
    return undefined;
  }

  /** The API lists nothing: only functions whose ids are known are asked for. */
  async list(scope: CallScope): Promise<RemoteFunction[]> {
    const found: RemoteFunction[] = [];
    for (const functionName of Object.keys(await this.#settings.ids.list())) {
      const one = await this.read(functionName, scope);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  async remove(functionName: string, scope: CallScope): Promise<void> {
    const { ids } = this.#settings;
    const known = await ids.get(functionName);
    if (known === undefined) return;
    if (!('id' in known)) throw mayExist(functionName);
    const path = TABLE.function(known.id);
    await this.#data({ method: 'DELETE', path, what: functionName }, scope, [404]);
  }

  async *logs(functionName: string, options: LogOptions, scope: CallScope) {
    const known = await this.#settings.ids.get(functionName);
    const id = known !== undefined && 'id' in known ? known.id : '';
    const request = { method: 'GET', path: TABLE.logs(id), what: functionName } as const;
    yield* readListedLogs(() => this.#data(request, scope), options, scope);
  }

  async #create(spec: E2eSpec, journal: DeployJournal<DeployStep>, scope: CallScope): Promise<void> {
    const { functionName, runtime, template } = spec;
    const { ids, namespace = '' } = this.#settings;
    const before = await ids.get(functionName);
    if (before !== undefined && !('id' in before)) throw mayExist(functionName);
    journal.begin('create');
    await this.#makeNamespace(namespace, scope).catch((failure: unknown) => {
      // E2E's own client goes on after any refusal: one that is there already must do no harm.
      if (!FaasError.is(failure) || !HARMLESS.has(failure.code)) throw failure;
    });
    const body = {
      name: functionName,
      namespace,
      runtime: accountRuntimeId(runtime, template),
      ...(await this.#fieldsOf(spec)),
    };
    // Noted first: if this process dies now, or the answer is lost, nobody makes it a second time.
    await ids.set(functionName, { creating: true });
    let made: unknown;
    try {
      made = await this.#data({ method: 'POST', path: TABLE.functions, body, what: functionName }, scope);
    } catch (failure) {
      if (isDoubtful(failure)) throw mayExist(functionName, failure);
      await ids.delete(functionName);
      throw failure;
    }
    const id =
      isObject(made) && (typeof made['id'] === 'number' || textOf(made['id']))
        ? String(made['id'])
        : undefined;
    if (id === undefined) throw mayExist(functionName);
    await ids.set(functionName, { id });
    journal.written('create');
  }

  /** One PUT with what differs, marks among it: it is done as a whole or not at all. */
  async #update(
    spec: E2eSpec,
    { id, fields = {}, sha256 }: RemoteFunction,
    journal: DeployJournal<DeployStep>,
    scope: CallScope,
  ): Promise<void> {
    const { functionName, runtime, template, artifact } = spec;
    const now = textOf(fields['runtime']);
    if (now !== undefined && now !== accountRuntimeId(runtime, template)) {
      const message = `The runtime of ${functionName} is ${now} and cannot be changed: undeploy it first.`;
      throw new FaasError({ code: 'CONFIG', executed: 'no', provider: PROVIDER, functionName, message });
    }
    journal.begin('update');
    const wanted = await this.#fieldsOf(spec);
    const isFailed = stateOf(fields['status']) === 'failed';
    const sendsCode = isFailed || sha256 !== artifact.sha256;
    const body = Object.fromEntries(
      Object.entries(wanted).filter(([name, value]) => {
        if (name === TABLE.code) return sendsCode;
        return name === 'environment' || fields[name] !== value;
      }),
    );
    await this.#data({ method: 'PUT', path: TABLE.function(id), body, what: functionName }, scope);
    journal.written('update');
  }

  async #fieldsOf({
    runtime,
    artifact,
    memoryMb,
    timeoutSecs,
    minReplicas,
    maxReplicas,
    environment,
    marks,
  }: E2eSpec) {
    return {
      [TABLE.code]: await textOfFile(artifact, runtime.handlerFile ?? ''),
      memory_mb: memoryMb,
      timeout_seconds: timeoutSecs,
      min_replicas: minReplicas,
      max_replicas: maxReplicas,
      // Neither labels nor annotations are kept there.
      environment: { ...environment, ...asEnvironment(marks) },
    };
  }

  async #makeNamespace(name: string, scope: CallScope): Promise<void> {
    const body = { name };
    const request = { method: 'POST', path: TABLE.namespace, body, what: `the namespace ${name}` } as const;
    await this.#data(request, scope, [409]);
  }

  /** What is in the envelope `{code, message, data, errors}`; undefined for an accepted status without data. */
  async #data(request: ApiRequest, scope: CallScope, accepted: readonly number[] = []): Promise<unknown> {
    const reply = await this.#api.send(request, scope, accepted);
    if (accepted.includes(reply.status)) return undefined;
    const envelope = parseObject(reply.body);
    const code = envelope?.['code'];
    // A refusal in a reply that claims success.
    if (typeof code === 'number' && code >= 400 && code < 600) {
      if (accepted.includes(code)) return undefined;
      throw this.#api.refusal({ ...reply, status: code }, request.what);
    }
    return envelope?.['data'];
  }
}

function functionOf(fields: Fields, functionName: string): RemoteFunction {
  const { memory_mb: memoryMb, timeout_seconds: timeoutSecs, min_replicas: replicas } = fields;
  const status = textOf(fields['status']) ?? 'no status';
  const reason = textOf(fields['error_message']) ?? textOf(fields['error']);
  return given<RemoteFunction>({
    ...readMarks(textsOf(fields['environment']), true),
    id: String(fields['id'] ?? ''),
    name: textOf(fields['name']) ?? functionName,
    namespace: textOf(fields['namespace']),
    state: stateOf(status),
    stateText: reason === undefined ? status : `${status}: ${reason}`,
    invokeUrl: textOf(fields['endpoint_url']),
    memoryMb: typeof memoryMb === 'number' ? memoryMb : undefined,
    timeoutSecs: typeof timeoutSecs === 'number' ? timeoutSecs : undefined,
    replicas: typeof replicas === 'number' ? replicas : undefined,
    deployedAt: textOf(fields['updated_at']) ?? textOf(fields['created_at']),
    fields,
  });
}

/** The API has no list to look into, so a person has to. */
function mayExist(functionName: string, cause?: unknown): FaasError {
  return new FaasError({
    code: 'CONFLICT',
    executed: 'no',
    provider: PROVIDER,
    functionName,
    cause,
    message: `A create of ${functionName} got no answer, so it may exist at E2E. Look for it in the console: keep its id with \`ids.set(name, { id })\`, or, if it is not there, \`ids.delete(name)\`. Then deploy again.`,
  });
}

async function textOfFile({ bytes }: Artifact, path: string): Promise<string> {
  const { default: JSZip } = await import('jszip');
  const file = (await JSZip.loadAsync(bytes)).file(path);
  return (await file?.async('string')) ?? '';
}
