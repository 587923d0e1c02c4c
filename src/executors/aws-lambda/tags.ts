/** Tags: the labels of a job, and the settings for asynchronous calls, which AWS keeps apart from the function. */
import { createHash } from 'node:crypto';
import type { EventSettings } from './function-spec.js';
import { EVENT_AGE_SECS, EVENT_RETRIES } from './limits.js';
import type { DeployServices } from './publish.js';

type Tags = Readonly<Record<string, string>>;

/** The keys of our labels, so that one which is no longer wanted can be told from a tag of someone else. */
const LABELS_TAG = 'jobferry:labels';
/** A hash of the event settings that were written: the settings themselves cost a request to read. */
const EVENTS_TAG = 'jobferry:events';

export class FunctionTags {
  readonly #services: DeployServices;
  readonly #qualifier: string | undefined;

  constructor(services: DeployServices, qualifier: string | undefined) {
    this.#services = services;
    this.#qualifier = qualifier;
  }

  /** Writes what differs. Tags of others stay as they are. */
  async write(functionArn: string, current: Tags): Promise<void> {
    const { labels, events } = this.#services.spec;
    const keys = Object.keys(labels).sort().join(' ');
    const fingerprint = events === undefined ? undefined : hash({ ...events, qualifier: this.#qualifier });
    const wanted: Tags = {
      ...labels,
      ...(keys !== '' && { [LABELS_TAG]: keys }),
      ...(fingerprint !== undefined && { [EVENTS_TAG]: fingerprint }),
    };
    if (current[EVENTS_TAG] !== fingerprint) await this.#writeEvents(events ?? AWS_DEFAULTS);
    const ours = [...(current[LABELS_TAG]?.split(' ') ?? []), LABELS_TAG, EVENTS_TAG];
    const gone = ours.filter((key) => key in current && !(key in wanted));
    const changed = Object.entries(wanted).filter(([key, value]) => current[key] !== value);
    const { control, spec, scope, journal } = this.#services;
    if (changed.length > 0) {
      journal.begin('tags');
      await control.send(spec.functionName, scope, (client, sdk, options) =>
        client.send(
          new sdk.TagResourceCommand({ Resource: functionArn, Tags: Object.fromEntries(changed) }),
          options,
        ),
      );
      journal.written('tags');
    }
    if (gone.length > 0) {
      journal.begin('tags');
      await control.send(spec.functionName, scope, (client, sdk, options) =>
        client.send(new sdk.UntagResourceCommand({ Resource: functionArn, TagKeys: gone }), options),
      );
      journal.written('tags');
    }
  }

  async #writeEvents(events: EventSettings): Promise<void> {
    const { control, spec, scope, journal } = this.#services;
    const { onFailureArn, onSuccessArn, ...figures } = events;
    journal.begin('events');
    await control.send(spec.functionName, scope, (client, sdk, options) =>
      client.send(
        new sdk.PutFunctionEventInvokeConfigCommand({
          FunctionName: spec.functionName,
          ...(this.#qualifier !== undefined && { Qualifier: this.#qualifier }),
          ...figures,
          DestinationConfig: {
            OnSuccess: onSuccessArn === undefined ? {} : { Destination: onSuccessArn },
            OnFailure: onFailureArn === undefined ? {} : { Destination: onFailureArn },
          },
        }),
        options,
      ),
    );
    journal.written('events');
  }
}

const AWS_DEFAULTS: EventSettings = {
  MaximumRetryAttempts: EVENT_RETRIES.max,
  MaximumEventAgeInSeconds: EVENT_AGE_SECS.max,
  onFailureArn: undefined,
  onSuccessArn: undefined,
};

function hash(value: object): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}
