/** What a case says when something is not as the standard wants it. */
import { isDeepStrictEqual } from 'node:util';
import type { Reply } from './http.js';

/** The platform did something else than the standard says. */
export class Mismatch extends Error {
  readonly expected: string;
  readonly seen: string;

  constructor(expected: string, seen: string) {
    super(`expected ${expected}; saw ${seen}`);
    this.expected = expected;
    this.seen = seen;
  }
}

/** The case cannot tell: something it builds on is missing. */
export class CouldNotRun extends Error {}

export function check(holds: boolean, expected: string, seen: unknown): asserts holds {
  if (!holds) throw new Mismatch(expected, show(seen));
}

export function checkSame(seen: unknown, expected: unknown, what: string): void {
  check(isDeepStrictEqual(seen, expected), `${what} = ${show(expected)}`, seen);
}

export function checkStatus(reply: Reply, ...statuses: readonly number[]): void {
  check(statuses.includes(reply.status), `status ${statuses.join(' or ')}`, describeReply(reply));
}

/** A refusal or a failure in the form of the error table. */
export function checkFailure(reply: Reply, status: number, code: string): Record<string, unknown> {
  check(reply.status === status, `${status} ${code}`, describeReply(reply));
  const body = checkErrorForm(reply);
  check(body['code'] === code, `${status} ${code}`, describeReply(reply));
  return body;
}

export function checkErrorForm(reply: Reply): Record<string, unknown> {
  const body = reply.json();
  const { error, code, details } = body;
  check(typeof error === 'string' && error !== '', 'an error with a text', describeReply(reply));
  check(typeof code === 'string' && code !== '', 'an error with a code', describeReply(reply));
  check(isObject(details), 'an error with details (an object)', describeReply(reply));
  return body;
}

/** A failed invoke: the table's form, and what is only said of calls. */
export function checkCallFailure(
  reply: Reply,
  status: number,
  code: string,
  executed: string,
): Record<string, unknown> {
  const body = checkFailure(reply, status, code);
  check(body['success'] === false, 'success: false', describeReply(reply));
  check(body['executed'] === executed, `executed: "${executed}"`, describeReply(reply));
  return body;
}

/** The bytes of a call that succeeded. */
export function checkResult(reply: Reply): Buffer {
  checkStatus(reply, 200);
  const { result, success } = reply.json();
  check(success === true, 'success: true', describeReply(reply));
  check(isByteArray(result), 'result: an array of integers from 0 to 255', describeReply(reply));
  return Buffer.from(result);
}

export function isByteArray(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isInteger(item) && item >= 0 && item <= 255);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An RFC 3339 time. */
export function isTime(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) &&
    !Number.isNaN(Date.parse(value))
  );
}

export function describeReply(reply: Reply): string {
  return `${reply.status} ${shorten(reply.body.toString('utf8'))}`;
}

function show(value: unknown): string {
  if (typeof value === 'string') return shorten(value);
  return shorten(JSON.stringify(value) ?? String(value));
}

function shorten(text: string): string {
  const flat = text.replace(/\s+/g, ' ');
  return flat.length > 300 ? `${flat.slice(0, 300)}…` : flat;
}
