/** Runs inside DigitalOcean: the `main(params)` of OpenWhisk's Node.js runtimes -> a call. */
import { randomUUID } from 'node:crypto';
import { FaasError, remoteError } from '../../core/errors.js';
import {
  decodeEvent,
  isWarmEvent,
  type SuccessReply,
  successReply,
  type WarmEvent,
} from '../shared/entry/event.js';
import type { CallRunner } from '../shared/entry/runner.js';

export { resolveClaims } from '../shared/entry/claims.js';
export { executableRunner } from '../shared/entry/executable.js';
export { type CallRunner, jobsRunner } from '../shared/entry/runner.js';

/** What OpenWhisk counts as an application error. */
export interface ErrorReply {
  readonly error: {
    readonly name: string;
    readonly message: string;
    readonly stack?: string | undefined;
    readonly code: string;
    readonly executed: string;
  };
}

export interface WarmReply {
  readonly jobferry_warm: true;
  /** Tells instances apart. */
  readonly instance: string;
}

const INSTANCE = randomUUID();
/** A job is told to stop this long before OpenWhisk ends the process, so that it can still say why. */
const GRACE_MS = 250;
/** A ping may hold its instance this long, so that several pings need several instances. */
const MAX_HOLD_MS = 10_000;

/** @param load makes the runner, once; what it throws answers every call, as a function that could not be started */
export function openWhiskMain(
  load: () => Promise<CallRunner>,
): (params: unknown) => Promise<SuccessReply | ErrorReply | WarmReply> {
  let loading: Promise<CallRunner> | undefined;
  const loaded = () => {
    loading ??= load();
    return loading.catch(cannotStart);
  };
  return async (params) => {
    try {
      if (isWarmEvent(params)) {
        // An instance is warm when the job's code is in it.
        await loaded();
        return await warmReply(params);
      }
      const hostDeadline = Number(process.env['__OW_DEADLINE'] ?? Infinity) - GRACE_MS;
      // Before the code is loaded: that takes of the call's time too.
      const call = decodeEvent(params, hostDeadline);
      const run = await loaded();
      const { result, metadata } = await run(call, hostDeadline);
      return successReply(result, metadata);
    } catch (thrown) {
      return { error: describe(thrown) };
    }
  };
}

async function warmReply({ hold_ms: holdMs }: WarmEvent): Promise<WarmReply> {
  await new Promise((resolve) => setTimeout(resolve, Math.min(holdMs, MAX_HOLD_MS)));
  return { jobferry_warm: true, instance: INSTANCE };
}

function cannotStart(thrown: unknown): never {
  const { name, message } = remoteError(thrown);
  throw new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `The package cannot be loaded: ${name}: ${message}`,
  });
}

function describe(thrown: unknown): ErrorReply['error'] {
  if (!FaasError.is(thrown)) return { ...remoteError(thrown), code: 'FUNCTION_ERROR', executed: 'yes' };
  const { code, executed, remote, message } = thrown;
  return { ...(remote ?? { name: 'FaasError', message }), code, executed };
}
