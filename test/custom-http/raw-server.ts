/** A server of raw sockets that waits for whole invoke requests, and does with the socket what no server should. */
import type net from 'node:net';
import { serveRaw, type TestServer } from './server.ts';

export const OK_BODY = '{"result":[1],"success":true}';

/** The head of a 200 that announces `length` bytes. */
export const HEAD = (length: number) =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

/** Runs `onRequest` for each whole request, and counts them: those a platform may have acted on. */
export async function rawServer(
  onRequest: (socket: net.Socket) => void,
): Promise<{ server: TestServer; received: () => number }> {
  let received = 0;
  const server = await serveRaw((socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (!text.endsWith(']}')) return;
      text = '';
      received += 1;
      onRequest(socket);
    });
  });
  return { server, received: () => received };
}
