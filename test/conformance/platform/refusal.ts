/** Ends a request with a row of the error table. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly executed: string;

  constructor(
    status: number,
    code: string,
    message: string,
    { headers = {}, executed = 'no' }: { headers?: Readonly<Record<string, string>>; executed?: string } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.executed = executed;
  }
}
