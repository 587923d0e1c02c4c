/** Puts together what runs functions that answer HTTP. */

import { DEFAULT_SCALER, type ScalerOptions } from './pool/scaler.js';
import { Berths } from './runtimes/berth.js';
import { Interpreters } from './runtimes/interpreters.js';
import { SocketLinks } from './runtimes/socket-links.js';
import type { Spawner } from './runtimes/spawner.js';
import { WebInstance, type WebInstanceParts } from './runtimes/web-instance.js';
import type { DataFolder } from './store/data-folder.js';
import { SecretStore } from './store/secret-store.js';
import type { WebFunctionStore } from './store/web-function-store.js';
import { WebFunctions } from './web-functions.js';

type Own = 'interpreters' | 'berths' | 'sockets' | 'secrets';

export interface WebRuntimeParts extends Omit<WebInstanceParts, Own> {
  readonly store: WebFunctionStore;
  readonly folder: DataFolder;
  readonly spawner: Spawner;
  readonly scaler: Partial<ScalerOptions> | undefined;
}

export interface WebRuntime {
  readonly web: WebFunctions;
  readonly interpreters: Interpreters;
  close(): Promise<void>;
}

export function openWebFunctions(parts: WebRuntimeParts): WebRuntime {
  const { folder, limits, startMs } = parts;
  const interpreters = new Interpreters();
  const secrets = new SecretStore(folder.secrets);
  const sockets = new SocketLinks();
  // None is kept ready: instances stay, so what their start costs is paid seldom.
  const berths = new Berths({ ...parts, callsFolder: folder.ownCalls, maxTasks: limits.maxTasks }, 0);
  const instanceParts: WebInstanceParts = { ...parts, interpreters, secrets, sockets, berths };
  const web = new WebFunctions({
    ...parts,
    secrets,
    patienceMs: startMs,
    scaler: { ...DEFAULT_SCALER, ...parts.scaler },
    startInstance: (fn, signal) => WebInstance.start(fn, signal, instanceParts),
  });
  return {
    web,
    interpreters,
    async close() {
      await web.close();
      await berths.close();
      await sockets.close();
    },
  };
}
