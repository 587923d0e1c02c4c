/** Signatures of version 4 for Lambda: aws4 builds what is signed, the key of the day is derived once. */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import aws4 from 'aws4';
import type { AwsCredentials } from './credentials.js';

export interface Signable {
  /** Path and query, encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export class LambdaSigner {
  readonly #host: string;
  readonly #region: string;
  #key: { readonly secret: string; readonly day: string; readonly object: KeyObject } | undefined;
  #date = { second: 0, text: '' };

  /** @param host as it stands in the Host header, with a port that is not the scheme's own */
  constructor(host: string, region: string) {
    this.#host = host;
    this.#region = region;
  }

  /** All headers of the request, names and values in turn. */
  sign({ path, headers, body }: Signable, credentials: AwsCredentials, epochMs: number): string[] {
    const { sessionToken, secretAccessKey } = credentials;
    const date = this.#amzDate(epochMs);
    const request = {
      service: 'lambda',
      region: this.#region,
      method: 'POST',
      host: this.#host,
      path,
      body,
      headers: {
        host: this.#host,
        'content-type': 'application/json',
        'x-amz-date': date,
        ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
        ...headers,
      },
      // The headers above are complete.
      doNotModifyHeaders: true,
    };
    const signer = new Signer(request, credentials, this.#dayKey(secretAccessKey, date.slice(0, 8)));
    // It would look at the clock again otherwise, and a second later than the header says.
    signer.datetime = date;
    const list: string[] = [];
    for (const [name, value] of Object.entries(signer.sign().headers ?? {})) list.push(name, String(value));
    return list;
  }

  #dayKey(secret: string, day: string): KeyObject {
    if (this.#key?.secret !== secret || this.#key.day !== day) {
      const parts = [day, this.#region, 'lambda', 'aws4_request'];
      const derived = parts.reduce<Buffer>(
        (key, part) => createHmac('sha256', key).update(part).digest(),
        Buffer.from(`AWS4${secret}`),
      );
      this.#key = { secret, day, object: createSecretKey(derived) };
    }
    return this.#key.object;
  }

  /** `20260820T101112Z`; written once a second. */
  #amzDate(epochMs: number): string {
    const second = Math.floor(epochMs / 1000);
    if (second !== this.#date.second) {
      const text = new Date(second * 1000).toISOString().replace(/[:-]|\.\d{3}/g, '');
      this.#date = { second, text };
    }
    return this.#date.text;
  }
}

/** aws4 with a ready key: for the bytes it keeps instead, Node.js makes a key object with each signature, at 10 µs. */
class Signer extends aws4.RequestSigner {
  readonly #key: KeyObject;

  constructor(request: aws4.Request, credentials: AwsCredentials, key: KeyObject) {
    super(request, credentials);
    this.#key = key;
  }

  override signature(): string {
    return createHmac('sha256', this.#key).update(this.stringToSign()).digest('hex');
  }
}
