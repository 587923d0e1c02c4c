/** `keepWarm`: a scheduled trigger of the account pings the entry each minute, so that one instance stays. */
import type { CallScope } from '../../core/scope.js';
import type { ControlApi } from './control-api.js';

export interface TriggerOf {
  /** Without a token, or a namespace the token has found, there can be no trigger of ours. */
  readonly control: ControlApi | undefined;
  readonly namespaceId: string | undefined;
  readonly functionName: string;
  /** Called before something is written. */
  readonly begin: () => void;
}

/** It is looked for first: the same again makes no second one. */
export async function makeTrigger(trigger: TriggerOf, scope: CallScope): Promise<void> {
  const { control, namespaceId, functionName, begin } = trigger;
  if (control === undefined || namespaceId === undefined) return;
  await control.untilItWorks(scope, async () => {
    if ((await control.once('GET', triggerPath(namespaceId, functionName), scope)) !== undefined) return;
    begin();
    await control.once('POST', triggersPath(namespaceId), scope, {
      name: triggerName(functionName),
      function: functionName,
      type: 'SCHEDULED',
      is_enabled: true,
      scheduled_details: { cron: '* * * * *', body: { jobferry_warm: true, hold_ms: 0 } },
    });
  });
}

export async function removeTrigger(trigger: TriggerOf, scope: CallScope): Promise<void> {
  const { control, namespaceId, functionName, begin } = trigger;
  if (control === undefined || namespaceId === undefined) return;
  const path = triggerPath(namespaceId, functionName);
  await control.untilItWorks(scope, async () => {
    if ((await control.once('GET', path, scope)) === undefined) return;
    begin();
    await control.once('DELETE', path, scope);
  });
}

const triggerName = (functionName: string) => `${functionName}-keep-warm`;
const triggersPath = (id: string) => `/v2/functions/namespaces/${encodeURIComponent(id)}/triggers`;
const triggerPath = (id: string, functionName: string) =>
  `${triggersPath(id)}/${encodeURIComponent(triggerName(functionName))}`;
