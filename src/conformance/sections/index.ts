/** All sections, in the order of the standard. */
import type { Section } from '../case.js';
import { archive } from './archive.js';
import { asynchronous } from './async.js';
import { auth } from './auth.js';
import { binary } from './binary.js';
import { bootstrap } from './bootstrap.js';
import { callContext } from './call-context.js';
import { cancel } from './cancel.js';
import { concurrency } from './concurrency.js';
import { conditional } from './conditional.js';
import { config } from './config.js';
import { deploy } from './deploy.js';
import { discovery } from './discovery.js';
import { environment } from './environment.js';
import { errors } from './errors.js';
import { head } from './head.js';
import { health } from './health.js';
import { http } from './http.js';
import { idempotency } from './idempotency.js';
import { invokeBytes } from './invoke-bytes.js';
import { invokeJson } from './invoke-json.js';
import { jobEndpoint } from './job-endpoint.js';
import { list } from './list.js';
import { logs } from './logs.js';
import { performanceTargets } from './performance.js';
import { timeouts } from './timeouts.js';
import { warm } from './warm.js';

export const SECTIONS: readonly Section[] = [
  discovery,
  http,
  deploy,
  config,
  archive,
  invokeJson,
  invokeBytes,
  jobEndpoint,
  bootstrap,
  environment,
  timeouts,
  concurrency,
  health,
  warm,
  errors,
  auth,
  callContext,
  binary,
  idempotency,
  asynchronous,
  cancel,
  list,
  conditional,
  logs,
  head,
  performanceTargets,
];

/** What `sections` of a run may name. */
export const SECTION_NAMES: readonly string[] = SECTIONS.map(({ name }) => name);
