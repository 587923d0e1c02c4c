/** Bytes on a socket, for requests no HTTP client would send. */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Mismatch } from './expect.js';

export interface RawReply {
  /** All that came, as latin1 text. */
  readonly text: string;
  /** The status of each reply on the connection, in order. */
  readonly statuses: readonly number[];
  /** The platform ended the connection. */
  readonly closed: boolean;
}

export interface RawOptions {
  /** Stop as soon as this says so. Default: after the first complete head. */
  readonly until?: (text: string) => boolean;
  /** Stop after this time whatever has come. Default 10 000. */
  readonly timeoutMs?: number;
}

const headIsThere = (text: string): boolean => /\r\n\r\n/.test(text);

/** Sends `request` and gathers what comes back until `until` holds, the other side closes, or time is up. */
export async function sendRaw(
  base: URL,
  request: string | Uint8Array,
  options: RawOptions = {},
): Promise<RawReply> {
  const { until = headIsThere, timeoutMs = 10_000 } = options;
  const socket = open(base);
  let text = '';
  let closed = false;
  try {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      const finish = (): void => {
        clearTimeout(timer);
        resolve();
      };
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (until(text)) finish();
      });
      // A reset is one of the ways to close.
      socket.on('error', () => {});
      socket.once('close', () => {
        closed = true;
        finish();
      });
      socket.write(typeof request === 'string' ? Buffer.from(request, 'latin1') : request);
    });
  } finally {
    socket.destroy();
  }
  return { text, closed, statuses: statusesIn(text) };
}

/** A connection that a case drives itself. */
export function open(base: URL): Socket {
  const host = base.hostname.replace(/^\[|\]$/g, '');
  const isTls = base.protocol === 'https:';
  const port = Number(base.port || (isTls ? 443 : 80));
  return isTls ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
}

function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3})[ \r]/g)].map((match) => Number(match[1]));
}

/** The request was refused: an error status, or closed without a reply. `100 Continue` does not count as one. */
export function checkRefusedRaw(reply: RawReply, ...statuses: readonly number[]): void {
  const final = reply.statuses.filter((status) => status !== 100);
  const first = final[0];
  const isRefused =
    first === undefined
      ? reply.closed
      : statuses.length === 0
        ? first >= 400 && first < 600
        : statuses.includes(first);
  const wanted = statuses.length === 0 ? 'a 4xx or 5xx' : statuses.join(' or ');
  if (!isRefused) {
    throw new Mismatch(`${wanted}, or the connection closed`, reply.text.slice(0, 200) || 'silence');
  }
}
