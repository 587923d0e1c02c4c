/** warm: instances that are ready before they are needed, without a run of the job. */
import { FaasError } from '../../core/errors.js';
import type { JobId } from '../../core/job.js';
import { isObject, type WarmEvent } from '../shared/entry/event.js';
import { inScope } from '../shared/in-scope.js';
import { checkInstances, countWarm } from '../shared/warm-pings.js';
import { ENTRY_VARIABLE } from './environment.js';
import type { Invoker } from './invoke.js';
import type { Lifecycle } from './lifecycle.js';
import { functionNameOf, PROVIDER, type Settings } from './options.js';

const TIMEOUT_MS = 120_000;
/** Pings that are in flight together need an instance each; a cold start lies between the first and the last. */
const HOLD_MS = 150;

/**
 * Resolves to how many instances answered, or to how many AWS keeps ready itself.
 * @throws {FaasError} CONFIG, NOT_FOUND, UNSUPPORTED; or why no ping at all was answered
 */
export async function warm(
  settings: Settings,
  lifecycle: Lifecycle,
  invoker: Invoker,
  jobId: JobId,
  instances: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const functionName = functionNameOf(settings, jobId);
  checkInstances(instances, PROVIDER, functionName);
  const refuse = (code: 'NOT_FOUND' | 'UNSUPPORTED', why: string) =>
    new FaasError({
      code,
      executed: 'no',
      provider: PROVIDER,
      functionName,
      message: `${functionName} ${why}.`,
    });
  return inScope(signal, TIMEOUT_MS, async (scope) => {
    const current = await lifecycle.configuration(jobId, scope);
    if (current === undefined) throw refuse('NOT_FOUND', 'is not deployed on Lambda, so it cannot be warmed');
    const provisioned = await lifecycle.provisioned(jobId, scope);
    if (provisioned !== undefined && provisioned >= instances) return provisioned;
    if (current.Environment?.Variables?.[ENTRY_VARIABLE] === undefined) {
      // A ping would be an event like any other to it: it would run the job.
      throw refuse(
        'UNSUPPORTED',
        'does not know warm pings. Package it for the target aws-lambda, or deploy it with `keepWarm`',
      );
    }
    const ping: WarmEvent = { jobferry_warm: true, hold_ms: HOLD_MS };
    return countWarm(instances, PROVIDER, scope, async () =>
      instanceOf(await invoker.ping(jobId, ping, scope)),
    );
  });
}

function instanceOf(payload: Buffer): string | undefined {
  try {
    const reply: unknown = JSON.parse(payload.toString('utf8'));
    if (isObject(reply) && reply['jobferry_warm'] === true) return String(reply['instance']);
  } catch {
    // Not our entry: it warmed nothing that we know of.
  }
  return undefined;
}
