/** What a fake platform of spec 1.1 offers, and how a request is refused. */
import { errorBody, type FakeReply } from './fake-functions.js';

export const FAKE_FEATURES = [
  'call-context',
  'binary',
  'idempotency',
  'async',
  'cancel',
  'list',
  'conditional-replace',
  'logs',
  'head',
] as const;

export type FakeFeature = (typeof FAKE_FEATURES)[number];

/** Ends a request with a 4xx. */
export class Refusal extends Error {
  readonly reply: FakeReply;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { headers?: Record<string, string>; executed?: 'no' | 'maybe' } = {},
  ) {
    super(message);
    const { headers = {}, executed = 'no' } = more;
    this.reply = { status, headers, body: errorBody(code, executed, message) };
  }
}

export interface RoutedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The `limit` of a list. @throws {Refusal} for one out of range. */
export function readPageSize(query: URLSearchParams): number {
  const limit = Number(query.get('limit') ?? 100);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit;
  throw new Refusal(400, 'INVALID_REQUEST', 'limit must be an integer from 1 to 1000');
}
