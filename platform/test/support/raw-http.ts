/** HTTP as bytes on a socket: what no client library would send. */

import { connect } from 'node:net';

export interface RawReply {
  readonly text: string;
  /** In the order they came, 1xx included. */
  readonly statuses: readonly number[];
}

/** Sends bytes and returns all that comes back until the server ends the connection. */
export async function sendRaw(
  port: number,
  bytes: string | Buffer,
  { keepOpen = false, patienceMs = 25_000 } = {},
): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    let text = '';
    const done = (): void => {
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
      resolve({ text, statuses });
    };
    const socket = connect(port, '127.0.0.1', () => {
      if (keepOpen) socket.write(bytes);
      else socket.end(bytes);
    });
    socket.setTimeout(patienceMs, () =>
      socket.destroy(new Error(`no end after ${JSON.stringify(text.slice(0, 500))}`)),
    );
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', (error) => {
      // A server that closes before all is sent resets the connection; that is an end.
      const code = 'code' in error ? error.code : undefined;
      if (code === 'ECONNRESET' || code === 'EPIPE') done();
      else reject(error);
    });
    socket.on('close', done);
  });
}
