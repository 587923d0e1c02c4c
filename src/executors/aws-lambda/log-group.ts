/** The log group of one function in CloudWatch Logs, read page by page. */
import type {
  CloudWatchLogsClient,
  FilteredLogEvent,
  FilterLogEventsCommandInput,
} from '@aws-sdk/client-cloudwatch-logs';
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { inScope } from '../shared/in-scope.js';
import { importPeer } from '../shared/peers.js';
import type { ControlPlane } from './control-plane.js';
import { PROVIDER, type Settings } from './options.js';

type Sdk = typeof import('@aws-sdk/client-cloudwatch-logs');
type Query = FilterLogEventsCommandInput & { readonly logGroupName: string };

const REQUEST_TIMEOUT_MS = 60_000;

export class LogGroup {
  readonly #sdk: Sdk;
  readonly #client: CloudWatchLogsClient;
  readonly #functionName: string;
  readonly #signal: AbortSignal | undefined;

  private constructor(
    sdk: Sdk,
    { region, logsEndpoint }: Settings,
    control: ControlPlane,
    functionName: string,
    signal: AbortSignal | undefined,
  ) {
    this.#sdk = sdk;
    this.#functionName = functionName;
    this.#signal = signal;
    this.#client = new sdk.CloudWatchLogsClient({
      region,
      ...(logsEndpoint !== undefined && { endpoint: logsEndpoint }),
      credentials: () =>
        inScope(signal, REQUEST_TIMEOUT_MS, (scope) => control.credentials(functionName, scope)),
    });
  }

  /** @param signal ends every wait */
  static async open(
    settings: Settings,
    control: ControlPlane,
    functionName: string,
    signal: AbortSignal | undefined,
  ): Promise<LogGroup> {
    const sdk = await importPeer(
      'LambdaExecutor',
      '@aws-sdk/client-cloudwatch-logs',
      () => import('@aws-sdk/client-cloudwatch-logs'),
    );
    return new LogGroup(sdk, settings, control, functionName, signal);
  }

  /**
   * Oldest entry first. None for a function that never ran: it has no log group yet.
   * @param fromMs epoch milliseconds of the first entry, and `toMs` of the last, both included
   */
  async *pages(fromMs: number, toMs?: number): AsyncGenerator<FilteredLogEvent[]> {
    let nextToken: string | undefined;
    do {
      const query = {
        logGroupName: `/aws/lambda/${this.#functionName}`,
        ...(fromMs > 0 && { startTime: fromMs }),
        ...(toMs !== undefined && { endTime: toMs }),
        ...(nextToken !== undefined && { nextToken }),
      };
      const page = await inScope(this.#signal, REQUEST_TIMEOUT_MS, (scope) => this.#page(query, scope));
      yield page?.events ?? [];
      nextToken = page?.nextToken;
    } while (nextToken !== undefined);
  }

  close(): void {
    this.#client.destroy();
  }

  async #page(query: Query, scope: CallScope) {
    try {
      return await this.#client.send(new this.#sdk.FilterLogEventsCommand(query), {
        abortSignal: scope.signal,
      });
    } catch (cause) {
      if (scope.reason !== undefined) throw scope.reason;
      if (FaasError.is(cause)) throw cause;
      const { name, $metadata } = cause as { name?: string; $metadata?: { httpStatusCode?: number } };
      if (name === 'ResourceNotFoundException') return undefined;
      throw new FaasError({
        code: name === 'AccessDeniedException' ? 'AUTH' : 'UNAVAILABLE',
        executed: 'no',
        provider: PROVIDER,
        functionName: this.#functionName,
        status: $metadata?.httpStatusCode,
        message: `The log ${query.logGroupName} cannot be read (${name ?? 'no reason'}). Check the permission logs:FilterLogEvents.`,
      });
    }
  }
}
