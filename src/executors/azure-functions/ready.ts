/** The end of a deploy: waits until the app has its key and its entry answers. */
import type { Site } from '@azure/arm-appservice';
import { FaasError, type FaasErrorCode } from '../../core/errors.js';
import { type CallScope, ChildScope, sleep } from '../../core/scope.js';
import type { DeployJournal } from '../shared/deploy-journal.js';
import { type Access, endpointOf } from './access.js';
import type { AppSpec } from './app-spec.js';
import type { Invoker } from './invoke.js';
import type { DeployStep, Settings } from './options.js';

/** What is said while a host starts: of its keys by Azure, and by the app itself, until its keys are in force. */
const STARTING = {
  key: new Set<FaasErrorCode>(['NOT_FOUND', 'UNAVAILABLE', 'INVALID_REQUEST']),
  ping: new Set<FaasErrorCode>(['NOT_FOUND', 'UNAVAILABLE', 'AUTH', 'TIMEOUT', 'PROTOCOL']),
};

/** An instance of the code before may answer for a moment: that a package cannot be loaded is believed at this word. */
const LOAD_TRIES = 3;

export class Readiness {
  readonly #settings: Settings;
  readonly #access: Access;
  readonly #invoker: Invoker;

  constructor(settings: Settings, access: Access, invoker: Invoker) {
    this.#settings = settings;
    this.#access = access;
    this.#invoker = invoker;
  }

  /**
   * A new app has no keys until its host has started, and answers 404 until it has found the function.
   * @throws {FaasError} what the app said last, when it does not answer in time; what its entry says of code that cannot be loaded
   */
  async wait(spec: AppSpec, site: Site, scope: CallScope, journal: DeployJournal<DeployStep>): Promise<void> {
    const { jobId, appName } = spec;
    const { readyTimeoutMs, pollMs } = this.#settings;
    journal.begin('ready');
    const url = endpointOf({ ...site }, appName);
    const within = new ChildScope(scope, readyTimeoutMs);
    let asked: keyof typeof STARTING = 'key';
    let last: FaasError | undefined;
    let loadFailures = 0;
    try {
      for (;;) {
        try {
          const functionKey = await this.#access.functionKey(appName, within);
          this.#access.keep(jobId, { url, functionKey });
          asked = 'ping';
          // A key is the word of a host that has found the function. More is not known of code without our entry.
          if (spec.hasEntry) await this.#invoker.ping(jobId, 0, within);
          return;
        } catch (failure) {
          if (!FaasError.is(failure) || within.reason !== undefined) throw failure;
          loadFailures = asked === 'ping' && failure.code === 'CONFIG' ? loadFailures + 1 : 0;
          const mayPass = loadFailures > 0 ? loadFailures < LOAD_TRIES : STARTING[asked].has(failure.code);
          if (!mayPass) throw failure;
          if (last?.message !== failure.message) journal.waitFor('ready', `its start (${failure.code})`);
          last = failure;
          await sleep(pollMs, within);
          asked = 'key';
        }
      }
    } catch (failure) {
      if (scope.reason !== undefined || within.reason === undefined || last === undefined) throw failure;
      const message = `${appName} has not answered for ${readyTimeoutMs / 1000} s. ${last.message}`;
      throw last.with({ code: 'UNAVAILABLE', executed: 'no', message });
    } finally {
      within.dispose();
    }
  }
}
