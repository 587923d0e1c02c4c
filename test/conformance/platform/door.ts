/** Routes and what stands behind them. */
import { randomUUID } from 'node:crypto';
import { headerOf, idempotencyKey, MAX_METADATA, parseCall, replyTo, retire, runCall } from './calls.js';
import { Deployed, makeVersion, parseConfig } from './functions.js';
import { invocationDoor } from './invocation-door.js';
import { type Invocation, Invocations } from './invocations.js';
import { Refusal } from './refusal.js';
import { allow, notFound, parseLimit } from './routing.js';
import type { Reply, Request, Rules } from './rules.js';

const NO_QUEUE_LIMIT_MS = 600_000;

export class Door {
  readonly #rules: Rules;
  readonly #functions = new Map<string, Deployed>();
  readonly #invocations: Invocations;

  constructor(rules: Rules) {
    this.#rules = rules;
    this.#invocations = new Invocations(rules);
  }

  get functions(): ReadonlyMap<string, Deployed> {
    return this.#functions;
  }

  /** @throws Refusal */
  async answer(request: Request, gone: AbortSignal): Promise<Reply> {
    const [path = '', query = ''] = request.path.split('?');
    const search = new URLSearchParams(query);
    const [, root, kind, rawId, part, ...more] = path.split('/');
    if (more.length > 0) throw notFound();
    if (root === 'job' && kind !== undefined && rawId === undefined) {
      const n = this.#rules.jobOfPath(kind);
      if (n === undefined) throw new Refusal(400, 'INVALID_NAME', 'a job id is a u32');
      return await this.#function(request, search, `job${n}`, 'job', gone, n);
    }
    if (root !== 'api') throw notFound();
    if (kind === undefined) return allow(request, { GET: () => this.#describe() });
    if (kind === 'invocations' && this.#offers('async'))
      return await invocationDoor(this.#invocations, this.#rules, request, search, rawId, part);
    if (kind !== 'functions') throw notFound();
    if (rawId === undefined && this.#offers('list'))
      return allow(request, { GET: () => this.#list(request, search) });
    if (rawId === undefined || !['invoke', 'health', 'warm', 'logs', undefined].includes(part))
      throw notFound();
    if (part === 'logs' && !this.#offers('logs')) throw notFound();
    return await this.#function(request, search, this.#parseName(rawId), part ?? 'record', gone);
  }

  #offers(feature: string): boolean {
    return this.#rules.features.includes(feature);
  }

  #parseName(raw: string): string {
    let id: string | undefined;
    try {
      id = decodeURIComponent(raw);
    } catch {
      // refused below
    }
    if (id !== undefined && this.#rules.validName(id)) return id;
    throw new Refusal(400, 'INVALID_NAME', 'the function id is unfit');
  }

  #describe(): Reply {
    const of = (feature: string, limits: object): object => (this.#offers(feature) ? limits : {});
    const limits = {
      max_request_bytes: 26_000_000,
      max_args_bytes: 6_291_456,
      max_result_bytes: 6_291_456,
      max_zip_bytes: 52_428_800,
      max_unzipped_bytes: 262_144_000,
      memory_mb: { min: 128, max: 10_240, step: 64 },
      timeout_secs: { min: 1, max: 900 },
      max_concurrency: { min: 1, max: 1000 },
      ...of('call-context', { max_metadata_bytes: MAX_METADATA }),
      ...of('async', { max_wait_secs: 20, invocation_retention_secs: 300 }),
      ...of('idempotency', { idempotency_ttl_secs: 300 }),
      ...of('logs', { log_retention_lines: 1000 }),
    };
    const isolation = { mode: 'process', memory: 'ulimit', processTree: 'process-group' };
    const { features } = this.#rules;
    return {
      status: 200,
      body: { spec: '1.1', platform: 'model', version: '1', isolation, limits, features },
    };
  }

  #list(request: Request, search: URLSearchParams): Reply {
    const limit = parseLimit(search);
    const after = search.get('after') ?? '';
    const ids = [...this.#functions.keys()].toSorted().filter((id) => id > after);
    const page = ids.slice(0, limit);
    const functions = page.map((id) => this.#record(this.#find(id), request));
    return { status: 200, body: { functions, ...(ids.length > limit && { next: page.at(-1) }) } };
  }

  #find(id: string): Deployed {
    const found = this.#functions.get(id);
    if (found === undefined) throw new Refusal(404, 'NOT_FOUND', `there is no function ${id}`);
    return found;
  }

  #record({ id, version }: Deployed, request: Request): object {
    const { memory_mb, timeout_secs, max_concurrency } = version.config;
    return {
      function_id: id,
      endpoint: `http://${headerOf(request, 'host')}/api/functions/${id}/invoke`,
      status: 'deployed',
      memory_mb,
      timeout_secs,
      max_concurrency,
      deployed_at: version.deployedAt,
      binary_size_bytes: version.size,
      sha256: version.sha256,
      ...(this.#offers('conditional-replace') && { etag: version.etag }),
    };
  }

  #recordReply(target: Deployed, request: Request): Reply {
    const headers = this.#offers('conditional-replace') ? { etag: `"${target.version.etag}"` } : {};
    return { status: 200, body: this.#record(target, request), headers };
  }

  async #function(
    request: Request,
    search: URLSearchParams,
    id: string,
    part: string,
    gone: AbortSignal,
    job?: number,
  ): Promise<Reply> {
    const health = (): Reply => this.#health(id);
    const invoke = (): Promise<Reply> => this.#invoke(request, id, gone, job);
    const isHeadOffered = this.#offers('head');
    switch (part) {
      case 'record':
        return await allow(request, {
          PUT: () => this.#put(request, search, id),
          GET: () => this.#recordReply(this.#find(id), request),
          DELETE: () => this.#delete(request, id),
        });
      case 'health':
        return await allow(request, { GET: health });
      case 'warm':
        return await allow(request, { POST: () => this.#warm(id) });
      case 'logs':
        return await allow(request, { GET: () => this.#logs(id, search) });
      case 'job':
        return await allow(request, { POST: invoke, HEAD: health });
      default:
        return await allow(request, { POST: invoke, ...(isHeadOffered && { HEAD: health }) });
    }
  }

  async #put(request: Request, search: URLSearchParams, id: string): Promise<Reply> {
    const type = (headerOf(request, 'content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
    if (!['application/zip', 'application/octet-stream'].includes(type))
      throw new Refusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'send application/zip');
    const config = parseConfig(headerOf(request, 'x-blueprint-config'), this.#rules);
    const fresh = await makeVersion(request.body, config, this.#rules);
    // From here to the switch nothing waits: of two deploys the second sees the first.
    const known = this.#functions.get(id);
    const isSame = known?.version.etag === fresh.etag;
    try {
      const isMatched = this.#checkPreconditions(request, known);
      if (known !== undefined && !isMatched && search.get('replace') !== 'true') {
        const conflict = isSame
          ? this.#rules.sameAgain === 'conflict'
          : this.#rules.otherContent === 'conflict';
        if (conflict) throw new Refusal(409, 'CONFLICT', 'other content is deployed here');
      }
    } catch (error) {
      await retire(fresh);
      throw error;
    }
    if (known !== undefined && isSame) {
      await retire(fresh);
      return this.#recordReply(known, request);
    }
    const target = known ?? new Deployed(id, fresh);
    const old = known?.version;
    target.version = fresh;
    this.#functions.set(id, target);
    if (old !== undefined) await retire(old);
    return this.#recordReply(target, request);
  }

  /** @returns whether `If-Match` named what is there. @throws Refusal PRECONDITION_FAILED */
  #checkPreconditions(request: Request, known: Deployed | undefined): boolean {
    if (!this.#offers('conditional-replace')) return false;
    const match = headerOf(request, 'if-match');
    const isRefused =
      (match !== undefined && match !== `"${known?.version.etag}"`) ||
      (headerOf(request, 'if-none-match') === '*' && known !== undefined);
    if (isRefused && this.#rules.checksPreconditions)
      throw new Refusal(412, 'PRECONDITION_FAILED', 'another version is there');
    return match !== undefined;
  }

  async #delete(request: Request, id: string): Promise<Reply> {
    const target = this.#find(id);
    this.#checkPreconditions(request, target);
    if (this.#rules.deletes === 'all') this.#functions.delete(id);
    await retire(target.version);
    return { status: 200, body: { function_id: id, status: 'deleted' } };
  }

  #health(id: string): Reply {
    const { last, total } = this.#find(id);
    const more = last === undefined ? {} : { last_invocation: last };
    return { status: 200, body: { function_id: id, status: 'healthy', ...more, total_invocations: total } };
  }

  async #warm(id: string): Promise<Reply> {
    const target = this.#find(id);
    const request: Request = {
      method: 'POST',
      path: '',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from('{"job_id":0,"args":[]}'),
    };
    const call = parseCall(request, undefined, this.#rules);
    const count = await this.#rules.warm(() =>
      runCall(target, call, this.#rules, new AbortController().signal),
    );
    return { status: 200, body: { function_id: id, status: 'warm', instances_warmed: count } };
  }

  #logs(id: string, search: URLSearchParams): Reply {
    const { log, followers } = this.#find(id);
    const since = search.get('since');
    const callId = search.get('call_id');
    const wanted = log
      .filter((line) => since === null || line.time >= since)
      .filter((line) => callId === null || line.call_id === callId)
      .slice(-Number(search.get('tail') ?? 100));
    const body = Buffer.from(wanted.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const headers = { 'content-type': 'application/x-ndjson' };
    if (search.get('follow') !== 'true') return { status: 200, body, headers };
    const follow = (write: (text: string) => void): (() => void) => {
      const send = (line: object): void => write(`${JSON.stringify(line)}\n`);
      followers.add(send);
      return () => followers.delete(send);
    };
    return { status: 200, body, headers, follow };
  }

  async #invoke(request: Request, id: string, gone: AbortSignal, job: number | undefined): Promise<Reply> {
    const target = this.#rules.acceptsUnknownFunction ? this.#functions.get(id) : this.#find(id);
    const call = parseCall(request, job, this.#rules);
    const isAsync = this.#offers('async') && /\brespond-async\b/.test(headerOf(request, 'prefer') ?? '');
    if (isAsync) return this.#accept(id, target, call);
    const found = target ?? this.#find(id);
    const key = idempotencyKey(request, this.#rules);
    if (key === undefined) return replyTo(call, await runCall(found, call, this.#rules, gone), this.#rules);
    const known = found.keys.get(key);
    if (known !== undefined && this.#rules.replays !== 'runs-again') {
      if (known.content !== call.content && this.#rules.replays === 'yes')
        throw new Refusal(422, 'IDEMPOTENCY_MISMATCH', 'the key was used for another call');
      if (known.reply !== undefined) return { ...known.reply, headers: { 'x-faas-replayed': 'true' } };
      throw new Refusal(409, 'IN_PROGRESS', 'the first call still runs', {
        headers: { 'retry-after': '1' },
        executed: 'maybe',
      });
    }
    const entry: { content: string; reply?: Reply } = { content: call.content };
    found.keys.set(key, entry);
    const outcome = await runCall(found, call, this.#rules, gone);
    const reply = replyTo(call, outcome, this.#rules);
    if (outcome.executed === 'no') found.keys.delete(key);
    else entry.reply = reply;
    return reply;
  }

  #accept(id: string, target: Deployed | undefined, call: ReturnType<typeof parseCall>): Reply {
    const invocationId = call.givenCallId ?? randomUUID();
    let accepted = this.#invocations.all.get(invocationId);
    if (accepted !== undefined && accepted.content !== call.content)
      throw new Refusal(422, 'IDEMPOTENCY_MISMATCH', 'the call id was used for another call');
    if (accepted === undefined) {
      const record: Invocation = {
        invocation_id: invocationId,
        function_id: id,
        job_id: call.jobId,
        status: 'pending',
        attempts: 0,
        created_at: new Date().toISOString(),
        executed: 'no',
      };
      const queueMs = call.budgetMs ?? NO_QUEUE_LIMIT_MS;
      accepted = this.#invocations.accept(record, call.content, async (signal, onStart) =>
        target === undefined
          ? await new Promise(() => {})
          : await runCall(target, call, this.#rules, signal, { onStart, queueMs }),
      );
    }
    const { function_id, job_id, status } = accepted.record;
    const url = `/api/invocations/${invocationId}`;
    return {
      status: 202,
      body: { invocation_id: invocationId, function_id, job_id, status, status_url: url },
      headers: { location: url, 'preference-applied': 'respond-async' },
    };
  }
}
