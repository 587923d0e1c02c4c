/** The data plane: one call, one POST; what DigitalOcean turns into an activation is asked for until it ends. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { CallMetrics, JobCall, JobId, JobResult } from '../../core/job.js';
import { sleep } from '../../core/scope.js';
import { decodeReply, encodeEvent } from '../shared/entry/event.js';
import type { HttpReply } from '../shared/http.js';
import { isObject, parseObject, textOf } from '../shared/json.js';
import type { Client } from './client.js';
import { type Activation, activationError, replyError } from './errors.js';
import type { Namespaces } from './namespace.js';
import { functionNameOf, PROVIDER, type Settings } from './options.js';

const MAX_EVENT_BYTES = 1024 * 1024;

/** `/api/v1/namespaces/_/actions/NAME`; each step of a name with a package is encoded by itself. */
export function actionPath(functionName: string): string {
  return `/api/v1/namespaces/_/actions/${functionName.split('/').map(encodeURIComponent).join('/')}`;
}

export class Invoker {
  readonly #settings: Settings;
  readonly #namespaces: Namespaces;
  readonly #names = new Map<JobId, string>();

  constructor(settings: Settings, namespaces: Namespaces) {
    this.#settings = settings;
    this.#namespaces = namespaces;
  }

  /** @throws {FaasError} always, with `executed` telling the truth about this attempt. */
  async invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    const startedMs = performance.now();
    const functionName = this.#nameOf(call.jobId);
    const event = this.#event(functionName, call, context);
    const { activation, status, place } = await this.#run(functionName, event, context);
    const { response, activationId } = activation;
    if (response?.success !== true) throw activationError(activation, status, place);
    const decoded = decodeReply(Buffer.from(JSON.stringify(response.result ?? null)));
    if (decoded.kind !== 'result') {
      throw new FaasError({
        code: 'PROTOCOL',
        executed: 'yes',
        provider: PROVIDER,
        functionName,
        status,
        requestId: activationId,
        message: `${functionName} ran and answered without \`result_base64\`. Package it for the target digitalocean.`,
      });
    }
    return {
      result: decoded.result,
      metadata: { ...call.metadata, ...decoded.metadata },
      metrics: metricsOf(activation, performance.now() - startedMs),
    };
  }

  /** One raw event, and what the function answered: what warming is made of. */
  async ping(functionName: string, event: object, context: CallContext): Promise<unknown> {
    const body = Buffer.from(JSON.stringify(event));
    const { activation, status, place } = await this.#run(functionName, body, context);
    if (activation.response?.success === true) return activation.response.result;
    throw activationError(activation, status, place);
  }

  async #run(functionName: string, body: Buffer, context: CallContext) {
    const { client } = await this.#namespaces.need(context, functionName);
    const path = `${actionPath(functionName)}?blocking=true&result=false`;
    let from = client;
    let reply = await client.send('POST', path, functionName, context, body);
    if (reply.status === 401) {
      // Refused before anything ran: the key may have been rotated.
      const renewed = await this.#namespaces.renew(context);
      if (renewed !== undefined) {
        from = renewed.client;
        reply = await from.send('POST', path, functionName, context, body);
      }
    }
    const place = from.place(functionName);
    return { ...(await this.#activation(reply, from, functionName, context)), place };
  }

  async #activation(
    reply: HttpReply,
    client: Client,
    functionName: string,
    context: CallContext,
  ): Promise<{ activation: Activation; status: number }> {
    const fields = parseObject(reply.body);
    const id = textOf(fields?.['activationId']);
    const hasRecord = isObject(fields?.['response']);
    if (reply.status === 202 && id !== undefined) return this.#poll(id, client, functionName, context);
    if ((reply.status === 200 || reply.status === 502) && hasRecord) {
      return { activation: fields as Activation, status: reply.status };
    }
    const place = client.place(functionName);
    if (reply.status !== 200 && reply.status !== 202) throw replyError(reply, 'call', place, client.redact);
    throw new FaasError({
      code: 'PROTOCOL',
      executed: 'maybe',
      provider: PROVIDER,
      functionName,
      status: reply.status,
      message: `${place.origin} answered a call of ${functionName} with ${reply.body.length} bytes that are no activation.`,
    });
  }

  /** It runs, or has run: whatever breaks off here, `executed` is no `no` any more. */
  async #poll(
    id: string,
    client: Client,
    functionName: string,
    context: CallContext,
  ): Promise<{ activation: Activation; status: number }> {
    const path = `/api/v1/namespaces/_/activations/${encodeURIComponent(id)}`;
    try {
      for (;;) {
        await sleep(this.#settings.pollMs, context);
        const reply = await client.send('GET', path, functionName, context);
        const fields = parseObject(reply.body);
        if (reply.status === 200 && isObject(fields?.['response'])) {
          return { activation: fields as Activation, status: 202 };
        }
        // Not there yet, or asked too often, or a gateway that stumbles: the deadline of the call is the limit.
        if (reply.status === 404 || reply.status === 429 || reply.status >= 500) continue;
        throw replyError(reply, 'call', client.place(functionName), client.redact);
      }
    } catch (failure) {
      if (!FaasError.is(failure)) throw failure;
      const message = `${failure.message} The call went on as activation ${id}.`;
      throw failure.with({ executed: 'maybe', requestId: id, functionName, provider: PROVIDER, message });
    }
  }

  #nameOf(jobId: JobId): string {
    let name = this.#names.get(jobId);
    if (name === undefined) {
      name = functionNameOf(this.#settings, jobId);
      this.#names.set(jobId, name);
    }
    return name;
  }

  #event(functionName: string, call: JobCall, context: CallContext): Buffer {
    const deadline = Math.min(call.deadline, context.deadline);
    if (deadline !== Infinity && deadline <= Date.now()) {
      throw notSent(functionName, 'TIMEOUT', 'the deadline passed before the request was sent');
    }
    const { maxPayloadBytes = Infinity } = this.#settings.limits;
    if (call.args.length > maxPayloadBytes) {
      const why = `the input has ${call.args.length} bytes, the limit is ${maxPayloadBytes}`;
      throw notSent(functionName, 'PAYLOAD_TOO_LARGE', why);
    }
    const event = encodeEvent(call, deadline, 'base64');
    if (event.length <= MAX_EVENT_BYTES) return event;
    const why = `the event (input, metadata and ids) has ${event.length} bytes, the limit is ${MAX_EVENT_BYTES}`;
    throw notSent(functionName, 'PAYLOAD_TOO_LARGE', why);
  }
}

/** Only what the activation's annotations say: `initTime` is there for cold starts and for nothing else. */
function metricsOf({ activationId, duration, annotations = [] }: Activation, totalMs: number): CallMetrics {
  const of = (key: string) => annotations.find((one) => one.key === key)?.value;
  const figure = (value: unknown) => (typeof value === 'number' && value >= 0 ? value : undefined);
  const [executionMs, initMs] = [figure(duration), figure(of('initTime'))];
  return {
    totalMs,
    ...(executionMs !== undefined && { executionMs }),
    ...(initMs !== undefined && { initMs }),
    ...(annotations.length > 0 && { coldStart: initMs !== undefined }),
    ...(activationId !== undefined && { requestId: activationId }),
  };
}

function notSent(functionName: string, code: 'PAYLOAD_TOO_LARGE' | 'TIMEOUT', why: string): FaasError {
  const message = `${functionName} was not called on ${PROVIDER}: ${why}.`;
  return new FaasError({ code, executed: 'no', provider: PROVIDER, functionName, message });
}
