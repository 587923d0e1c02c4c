/** The app's deployment service (Kudu): one zip in, one deployment to wait for. Its host is the one Azure names. */
import type { Site } from '@azure/arm-appservice';
import { FaasError } from '../../core/errors.js';
import { type CallScope, sleep } from '../../core/scope.js';
import type { HttpReply } from '../shared/http.js';
import { parseObject, textOf } from '../shared/json.js';
import type { AppSpec } from './app-spec.js';
import type { ControlHttp } from './control-http.js';
import { PROVIDER, type Settings } from './options.js';

/** Tokens of this audience are asked for where those of the management API are refused. */
const OTHER_SCOPE = 'https://management.core.windows.net/.default';
/** A deployment that was accepted need not be known at once. */
const UNKNOWN_READS = 30;

/** Of Kudu's `status`; everything below `failed` goes on. */
const STATUS = { failed: 3, success: 4, conflict: 5, partial: 6, cancelled: -1 } as const;

export class Scm {
  readonly #settings: Settings;
  readonly #http: ControlHttp;
  /** What each app's service has accepted. */
  readonly #scopes = new Map<string, string>();

  constructor(settings: Settings, http: ControlHttp) {
    this.#settings = settings;
    this.#http = http;
  }

  /**
   * Uploads the package and resolves when it is in place. A zip of the same content may be sent again.
   * @param onWait hears of each state that is waited for
   */
  async publish(spec: AppSpec, site: Site, scope: CallScope, onWait: (state: string) => void): Promise<void> {
    const origin = `https://${scmHost(site, spec.appName)}`;
    const isFlex = spec.plan.kind === 'flex';
    const path = isFlex ? '/api/publish?RemoteBuild=false&Deployer=jobferry' : '/api/zipdeploy?isAsync=true';
    const reply = await this.#untilFree(scope, onWait, () =>
      this.#send('POST', origin, path, spec.appName, scope, spec.artifact.bytes),
    );
    // An older service answers 200 when it is done.
    if (!isFlex && reply.status === 200) return;
    await this.#wait(origin, deploymentPath(reply), spec.appName, scope, onWait);
  }

  /** Another deployment of the app is waited for as long as the deploy may take. */
  async #untilFree(
    scope: CallScope,
    onWait: (state: string) => void,
    work: () => Promise<HttpReply>,
  ): Promise<HttpReply> {
    for (let isWaiting = false; ; isWaiting = true) {
      try {
        return await work();
      } catch (failure) {
        if (!FaasError.is(failure) || failure.code !== 'CONFLICT') throw failure;
        if (!isWaiting) onWait('another deployment of the app');
        await sleep(this.#settings.pollMs, scope);
      }
    }
  }

  async #wait(
    origin: string,
    path: string,
    appName: string,
    scope: CallScope,
    onWait: (state: string) => void,
  ): Promise<void> {
    let seen: string | undefined;
    for (let unknown = 0; ; ) {
      const fields = await this.#deployment(origin, path, appName, scope);
      if (fields === undefined) unknown += 1;
      const status = fields?.['status'];
      switch (status) {
        case STATUS.success:
          return;
        case STATUS.failed:
        case STATUS.conflict:
        case STATUS.partial:
        case STATUS.cancelled:
          throw deploymentError(status, fields ?? {}, appName, origin);
        default:
      }
      if (fields?.['complete'] === true || unknown > UNKNOWN_READS)
        throw deploymentError(undefined, fields ?? {}, appName, origin);
      const state = textOf(fields?.['status_text']) ?? textOf(fields?.['progress']) ?? 'accepted';
      if (state !== seen) onWait(`the deployment (${state})`);
      seen = state;
      await sleep(this.#settings.pollMs, scope);
    }
  }

  async #deployment(origin: string, path: string, appName: string, scope: CallScope) {
    try {
      const reply = await this.#send('GET', origin, path, appName, scope);
      return parseObject(reply.body);
    } catch (failure) {
      if (FaasError.is(failure) && failure.code === 'NOT_FOUND') return undefined;
      throw failure;
    }
  }

  async #send(
    method: 'GET' | 'POST',
    origin: string,
    path: string,
    what: string,
    scope: CallScope,
    body?: Uint8Array,
  ): Promise<HttpReply> {
    const url = new URL(path, origin);
    const headers = ['accept', 'application/json'];
    if (body !== undefined) headers.push('content-type', 'application/zip');
    const tokenScope = this.#scopes.get(origin) ?? this.#settings.scope;
    const request = { method, url, what, headers, body, plainErrors: true };
    try {
      const reply = await this.#http.send({ ...request, scope: tokenScope }, scope);
      this.#scopes.set(origin, tokenScope);
      return reply;
    } catch (failure) {
      const isRefused = FaasError.is(failure) && (failure.status === 401 || failure.status === 404);
      if (!isRefused || this.#scopes.has(origin) || tokenScope === OTHER_SCOPE) throw failure;
    }
    const reply = await this.#http.send({ ...request, scope: OTHER_SCOPE }, scope);
    this.#scopes.set(origin, OTHER_SCOPE);
    return reply;
  }
}

/** Never built from the app's name: hosts of newer apps carry a hash and a region. */
export function scmHost(site: Site, appName: string): string {
  const named =
    site.enabledHostNames?.find((name) => name.includes('.scm.')) ??
    site.hostNameSslStates?.find(({ hostType }) => hostType === 'Repository')?.name;
  if (named !== undefined) return named;
  const message = `Azure names no deployment host for ${appName}. Look whether the app runs.`;
  throw new FaasError({
    code: 'PROTOCOL',
    executed: 'no',
    provider: PROVIDER,
    functionName: appName,
    message,
  });
}

/** The id comes as a JSON string, or the address in `location`; without either the newest one is ours. */
function deploymentPath({ headers, body }: HttpReply): string {
  const location = textOf(headers['location']);
  const path = location === undefined ? undefined : /\/api\/deployments\/[\w-]+/.exec(location)?.[0];
  const id = /^"?([\w-]+)"?$/.exec(body.toString('utf8').trim())?.[1];
  return path ?? `/api/deployments/${id ?? 'latest'}`;
}

function deploymentError(
  status: number | undefined,
  fields: Readonly<Record<string, unknown>>,
  appName: string,
  origin: string,
): FaasError {
  const what =
    status === STATUS.failed
      ? 'failed'
      : status === STATUS.conflict
        ? 'met another deployment'
        : status === STATUS.cancelled
          ? 'was cancelled'
          : status === STATUS.partial
            ? 'went through in part'
            : 'ended without success';
  const said = [fields['status_text'], fields['message'], fields['progress']].map(textOf).filter(Boolean);
  const quoted = said.length === 0 ? '' : `: ${said.join('; ').slice(0, 500)}`;
  const isRace = status === STATUS.conflict || status === STATUS.cancelled;
  return new FaasError({
    code: isRace ? 'CONFLICT' : 'INVALID_REQUEST',
    executed: 'no',
    provider: PROVIDER,
    functionName: appName,
    message: `The deployment of the package ${what} at ${origin}${quoted}.`,
  });
}
