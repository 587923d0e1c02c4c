/** warm: instances that are ready before they are needed, without a run of the job. */
import { FaasError } from '../../core/errors.js';
import type { JobId } from '../../core/job.js';
import type { WarmEvent } from '../shared/entry/event.js';
import { inScope } from '../shared/in-scope.js';
import { isObject } from '../shared/json.js';
import { checkInstances, countWarm } from '../shared/warm-pings.js';
import { answersPings } from './action.js';
import type { Invoker } from './invoke.js';
import type { Lifecycle } from './lifecycle.js';
import { functionNameOf, PROVIDER, type Settings } from './options.js';

const TIMEOUT_MS = 120_000;
/** Pings that are in flight together need an instance each. */
const HOLD_MS = 150;

/** Resolves to how many instances answered; rejects when none did. */
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
    const current = await lifecycle.find(jobId, scope);
    if (current === undefined)
      throw refuse('NOT_FOUND', 'is not deployed on DigitalOcean, so it cannot be warmed');
    // A ping would be an event like any other to it: it would run the job.
    if (!answersPings(current))
      throw refuse(
        'UNSUPPORTED',
        'does not know warm pings. Package it for the target digitalocean and deploy it again',
      );
    const ping: WarmEvent = { jobferry_warm: true, hold_ms: HOLD_MS };
    return countWarm(instances, PROVIDER, scope, async () =>
      instanceOf(await invoker.ping(functionName, ping, scope)),
    );
  });
}

function instanceOf(answer: unknown): string | undefined {
  if (!isObject(answer) || answer['jobferry_warm'] !== true) return undefined;
  return String(answer['instance']);
}
