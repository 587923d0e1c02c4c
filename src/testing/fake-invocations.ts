/** Asynchronous calls on the fake platform: records that go from pending to one terminal status. */
import { randomUUID } from 'node:crypto';
import { contentOf, type ReceivedCall, resultHeaders } from './fake-calls.js';
import { Refusal, readPageSize } from './fake-features.js';
import type { FakeOutcome, FakeReply } from './fake-functions.js';

export const MAX_WAIT_SECS = 30;

type Status = 'pending' | 'running' | 'completed' | 'failed' | 'timeout' | 'cancelled' | 'dead';

interface Invocation {
  readonly id: string;
  readonly functionId: string;
  readonly call: ReceivedCall;
  readonly createdAt: string;
  readonly cancel: AbortController;
  readonly ended: Promise<void>;
  status: Status;
  attempts: number;
  startedAt?: string;
  finishedAt?: string;
  outcome?: FakeOutcome;
}

export class FakeInvocations {
  readonly #records = new Map<string, Invocation>();

  /** Stores the call and starts it; the same id with the same content again changes nothing. */
  accept(
    functionId: string,
    call: ReceivedCall,
    run: (gone: AbortSignal) => Promise<FakeOutcome>,
  ): FakeReply {
    const id = call.callId === '' ? randomUUID() : call.callId;
    const known = this.#records.get(id);
    if (known !== undefined && contentOf(known.call) !== contentOf(call)) {
      throw new Refusal(422, 'IDEMPOTENCY_MISMATCH', 'the call id belongs to another call');
    }
    const { status } = known ?? this.#start(id, functionId, call, run);
    const url = `/api/invocations/${id}`;
    return {
      status: 202,
      headers: { location: url, 'preference-applied': 'respond-async' },
      body: { invocation_id: id, function_id: functionId, job_id: call.jobId, status, status_url: url },
    };
  }

  /** The record, once it is terminal or `waitSecs` have passed. */
  async describe(id: string, waitSecs: number, gone: AbortSignal): Promise<FakeReply> {
    const invocation = this.#find(id);
    const waitMs = Math.min(waitSecs, MAX_WAIT_SECS) * 1000;
    if (waitMs > 0) await Promise.race([invocation.ended, pause(waitMs, gone)]);
    return { status: 200, body: view(invocation) };
  }

  /** Records without their results, in order of their ids. */
  list(query: URLSearchParams): FakeReply {
    const limit = readPageSize(query);
    const after = query.get('after') ?? '';
    const left = [...this.#records.values()]
      .filter(({ functionId }) => (query.get('function_id') ?? functionId) === functionId)
      .filter(({ status }) => (query.get('status') ?? status) === status)
      .filter(({ id }) => id > after)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const page = left.slice(0, limit);
    const invocations = page.map((invocation) => ({ ...view(invocation), result: undefined }));
    const next = left.length > page.length ? { next: page.at(-1)?.id } : {};
    return { status: 200, body: { invocations, ...next } };
  }

  result(id: string): FakeReply {
    const { status, outcome, call } = this.#find(id);
    if (status === 'pending' || status === 'running') {
      throw new Refusal(409, 'NOT_FINISHED', `the invocation is ${status}`);
    }
    if (outcome?.result === undefined) throw new Refusal(409, 'NO_RESULT', `the invocation is ${status}`);
    return { status: 200, headers: resultHeaders(call, outcome.fields), body: outcome.result };
  }

  async cancel(id: string): Promise<FakeReply> {
    const invocation = this.#find(id);
    invocation.cancel.abort();
    await invocation.ended;
    return { status: 200, body: view(invocation) };
  }

  #find(id: string): Invocation {
    const invocation = this.#records.get(id);
    if (invocation === undefined) throw new Refusal(404, 'NOT_FOUND', 'no such invocation');
    return invocation;
  }

  #start(
    id: string,
    functionId: string,
    call: ReceivedCall,
    run: (gone: AbortSignal) => Promise<FakeOutcome>,
  ): Invocation {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const invocation: Invocation = {
      id,
      functionId,
      call,
      createdAt: new Date().toISOString(),
      cancel: new AbortController(),
      ended,
      status: 'pending',
      attempts: 0,
    };
    this.#records.set(id, invocation);
    work(invocation, run).then((status) => {
      invocation.status = status;
      invocation.finishedAt = new Date().toISOString();
      end();
    });
    return invocation;
  }
}

/** Runs the call, waiting while its function has its most calls in flight; resolves to the terminal status. */
async function work(
  invocation: Invocation,
  run: (gone: AbortSignal) => Promise<FakeOutcome>,
): Promise<Status> {
  const { cancel, call } = invocation;
  for (;;) {
    await pause(10, cancel.signal);
    if (cancel.signal.aborted) return 'cancelled';
    if (Date.now() >= call.deadline) return 'timeout';
    const running = run(cancel.signal);
    invocation.status = 'running';
    invocation.startedAt ??= new Date().toISOString();
    const outcome = await running;
    if (outcome.status === 429) {
      invocation.status = 'pending';
      continue;
    }
    invocation.attempts += 1;
    if (cancel.signal.aborted) return 'cancelled';
    invocation.outcome = outcome;
    if (outcome.status === 200) return 'completed';
    return outcome.status === 504 ? 'timeout' : 'failed';
  }
}

function view(invocation: Invocation): Record<string, unknown> {
  const { id, functionId, call, status, attempts, createdAt, startedAt, finishedAt, outcome } = invocation;
  const { result } = outcome ?? {};
  const { success: _, ...fields } = outcome?.fields ?? {};
  return {
    invocation_id: id,
    function_id: functionId,
    job_id: call.jobId,
    status,
    attempts,
    created_at: createdAt,
    ...(startedAt !== undefined && { started_at: startedAt }),
    ...(finishedAt !== undefined && { finished_at: finishedAt }),
    executed: attempts > 0 ? 'yes' : 'no',
    ...fields,
    ...(result !== undefined && { result: [...result] }),
  };
}

function pause(delayMs: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      clearTimeout(timer);
      gone.removeEventListener('abort', stop);
      resolve();
    };
    const timer = setTimeout(stop, delayMs);
    gone.addEventListener('abort', stop, { once: true });
    if (gone.aborted) stop();
  });
}
