/** What every handler inside Lambda shares: its shape, warm pings, and how errors are told to the runtime. */
import type { Writable } from 'node:stream';
import { FaasError } from '../../core/errors.js';
import type { SuccessReply, WarmEvent } from '../shared/entry/event.js';
import { named } from '../shared/entry/named.js';
import { ownType } from './function-errors.js';

/** The part of Lambda's context object that is used. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number;
}

/** What a warm ping gets instead of a job's result. */
export interface WarmReply {
  readonly jobferry_warm: true;
  /** Tells instances apart. */
  readonly instance: string;
}

export type LambdaHandler = (event: unknown, context: LambdaContext) => Promise<SuccessReply | WarmReply>;

/** What Lambda gives to a handler that streams. */
export type StreamHandler = (event: unknown, output: Writable, context: LambdaContext) => Promise<void>;

/** Marks a handler as one that streams, by the global that Lambda's Node.js runtimes have for it. */
export function streamifyResponse(handler: StreamHandler): unknown {
  const { awslambda } = globalThis as { awslambda?: { streamifyResponse?(handler: StreamHandler): unknown } };
  return awslambda?.streamifyResponse?.(handler);
}

/** A job is told to stop this long before Lambda ends the process, so that it can still say why. */
const GRACE_MS = 250;

const INSTANCE = `${process.pid}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;

/** Epoch milliseconds. */
export function deadlineOf(context: LambdaContext): number {
  return Date.now() + Math.max(0, context.getRemainingTimeInMillis() - GRACE_MS);
}

/** Holds the instance for a moment and runs nothing. */
export async function warmReply(event: WarmEvent): Promise<WarmReply> {
  await new Promise((resolve) => setTimeout(resolve, event.hold_ms));
  return { jobferry_warm: true, instance: INSTANCE };
}

/**
 * The runtime reports an error by its name, message and stack. What a handler threw goes as it is; an error of ours
 * puts its facts into the name, since nothing else of it would arrive.
 */
export function describe(thrown: unknown): unknown {
  if (!FaasError.is(thrown)) return thrown;
  const { remote } = thrown;
  if (thrown.code === 'FUNCTION_ERROR' && remote !== undefined) {
    return named(remote.name, remote.message, remote.stack);
  }
  return named(ownType(thrown), thrown.message, thrown.stack);
}
