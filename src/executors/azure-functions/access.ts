/** Where a job's app answers, and the key that opens it: asked of Azure once, kept, and asked again when it is refused. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { CallScope } from '../../core/scope.js';
import { untilCancelled } from '../shared/http.js';
import { inScope } from '../shared/in-scope.js';
import { type Fields, isObject, textOf } from '../shared/json.js';
import { FUNCTION } from './app-spec.js';
import { type Arm, propertiesOf, WEB_API } from './arm.js';
import { type AppAccess, appNameOf, originOf, PROVIDER } from './options.js';

const TIMEOUT_MS = 60_000;

export class Access {
  readonly #arm: Arm;
  readonly #known = new Map<JobId, AppAccess>();
  readonly #asking = new Map<JobId, Promise<AppAccess>>();

  constructor(arm: Arm) {
    this.#arm = arm;
  }

  known(jobId: JobId): AppAccess | undefined {
    return this.#known.get(jobId);
  }

  /** One question however many calls wait; a caller that gives up leaves the others waiting. */
  need(jobId: JobId, context: Pick<CallContext, 'onCancel'>): Promise<AppAccess> {
    const known = this.#known.get(jobId);
    if (known !== undefined) return Promise.resolve(known);
    let asking = this.#asking.get(jobId);
    if (asking === undefined) {
      asking = this.#ask(jobId).finally(() => this.#asking.delete(jobId));
      this.#asking.set(jobId, asking);
    }
    const functionName = appNameOf(this.#arm.settings, jobId);
    return untilCancelled(
      asking,
      { provider: PROVIDER, functionName, origin: this.#arm.settings.endpoint },
      context,
    );
  }

  /** Asked of Azure now, whatever is known. */
  fresh(jobId: JobId, context: Pick<CallContext, 'onCancel'>): Promise<AppAccess> {
    this.forget(jobId);
    return this.need(jobId, context);
  }

  /** After a 401: undefined when Azure still has the key that was refused. */
  async renew(
    jobId: JobId,
    refused: AppAccess,
    context: Pick<CallContext, 'onCancel'>,
  ): Promise<AppAccess | undefined> {
    if (this.#known.get(jobId)?.functionKey === refused.functionKey) this.forget(jobId);
    const renewed = await this.need(jobId, context);
    return renewed.functionKey === refused.functionKey ? undefined : renewed;
  }

  forget(jobId: JobId): void {
    this.#known.delete(jobId);
  }

  keep(jobId: JobId, access: AppAccess): void {
    this.#known.set(jobId, access);
  }

  /** @throws {FaasError} NOT_FOUND while the function has no key: the host has not started yet */
  async functionKey(appName: string, scope: CallScope): Promise<string> {
    const path = `${this.#arm.sitePath(appName)}/functions/${FUNCTION}/listkeys`;
    const reply = await this.#arm.request('POST', path, WEB_API, appName, scope);
    // Azure sends `{"default": "…"}`; its own description of the API says `{"properties": {"default": "…"}}`.
    const key = textOf(reply['default']) ?? textOf(propertiesOf(reply)['default']);
    if (key !== undefined) return key;
    throw notFound(appName, 'has no function key yet. Wait until it has started, or deploy again');
  }

  async #ask(jobId: JobId): Promise<AppAccess> {
    const { settings } = this.#arm;
    const appName = appNameOf(settings, jobId);
    const given = settings.apps?.(jobId);
    if (given !== undefined) {
      const access = { url: originOf(given.url, 'apps().url'), functionKey: given.functionKey };
      this.#known.set(jobId, access);
      return access;
    }
    if (settings.apps !== undefined && settings.subscriptionId === '')
      throw notFound(appName, `is not known: \`apps(${jobId})\` gave nothing`);
    return inScope(undefined, TIMEOUT_MS, async (scope) => {
      const site = await this.#arm.find(this.#arm.sitePath(appName), WEB_API, appName, scope);
      if (site === undefined) throw notFound(appName, 'is not deployed on Azure. Deploy it first');
      const access = { url: endpointOf(site, appName), functionKey: await this.functionKey(appName, scope) };
      this.#known.set(jobId, access);
      return access;
    });
  }
}

/** As Azure states it: it is not always the app's name with a fixed end. */
export function endpointOf(site: Fields, appName: string): string {
  const properties = isObject(site['properties']) ? site['properties'] : site;
  const host = textOf(properties['defaultHostName']);
  if (host !== undefined) return `https://${host}`;
  const message = `Azure described ${appName} without a host name.`;
  throw new FaasError({
    code: 'PROTOCOL',
    executed: 'no',
    provider: PROVIDER,
    functionName: appName,
    message,
  });
}

function notFound(functionName: string, why: string): FaasError {
  const message = `${functionName} ${why}.`;
  return new FaasError({ code: 'NOT_FOUND', executed: 'no', provider: PROVIDER, functionName, message });
}
