/** chaosProxy: a TCP proxy that breaks connections in known ways, the same way for the same seed. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Exchange, type Fault, type FaultKind } from './chaos-exchange.js';
import { seededRandom } from './seeded-random.js';

export type { Fault, FaultKind };

export interface ChaosProxyOptions {
  /** `http://host:port`, or any URL with a host and port. */
  readonly target: string;
  /** Same seed and same traffic: same faults. */
  readonly seed: number;
  /** Each with the share (0 to 1) of exchanges it strikes; the shares sum up to at most 1. */
  readonly faults: readonly Fault[];
}

export interface ChaosProxy {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** How often each fault struck; `none` counts the exchanges that went through unharmed. */
  readonly counts: Readonly<Record<FaultKind | 'none', number>>;
  /** Ends every connection and stops listening. Twice is fine. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts the proxy on a free loopback port. An exchange is a request with its reply: a fault is drawn for each,
 * also on kept-alive connections, from the seed, the number of the connection and the number of the exchange.
 * @throws {RangeError} when the shares are not within 0 and 1 together.
 */
export async function chaosProxy({ target, seed, faults }: ChaosProxyOptions): Promise<ChaosProxy> {
  const total = faults.reduce((sum, { share }) => sum + share, 0);
  if (faults.some(({ share }) => !(share >= 0)) || total > 1 + 1e-9) {
    throw new RangeError(
      `chaosProxy: the shares of the faults must be 0 or more and sum up to at most 1, not ${total}`,
    );
  }
  const { hostname, port: targetPort } = new URL(target);
  const counts = {
    none: 0,
    latency: 0,
    'reset-before-request': 0,
    'reset-after-request': 0,
    'reset-before-reply': 0,
    'half-close': 0,
    'slow-drip': 0,
    truncate: 0,
    blackhole: 0,
  };
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // A broken connection is the purpose of this proxy; the other end is told by the 'close' event.
    socket.on('error', () => {});
    return socket;
  };

  let connections = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (caller) => {
    connections += 1;
    const random = seededRandom(Math.imul(seed, 0x9e3779b1) ^ connections);
    const draw = (): { fault: Fault | undefined; roll: number } => {
      // Two rolls for each exchange, whatever the fault, so that the sequence never shifts.
      const [pick, roll] = [random(), random()];
      const fault = pickFault(faults, pick);
      counts[fault?.kind ?? 'none'] += 1;
      return { fault, roll };
    };
    track(caller);
    const upstream = track(
      connect({ host: hostname, port: Number(targetPort), allowHalfOpen: true, noDelay: true }),
    );
    join(caller, upstream, draw);
  });
  await listen(server);
  const { port } = server.address() as AddressInfo;

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
    return closing;
  };
  return { url: `http://127.0.0.1:${port}`, port, counts, close, [Symbol.asyncDispose]: close };
}

/** Forwards both ways. The first bytes from the caller after bytes from the target begin the next exchange. */
function join(
  caller: Socket,
  upstream: Socket,
  draw: () => { fault: Fault | undefined; roll: number },
): void {
  let exchange: Exchange | undefined;
  let replied = true;
  caller.on('data', (bytes) => {
    if (replied) {
      replied = false;
      exchange = new Exchange(caller, upstream, draw());
    }
    exchange?.request(bytes);
  });
  upstream.on('data', (bytes) => {
    replied = true;
    if (exchange === undefined) caller.write(bytes);
    else exchange.reply(bytes);
  });
  caller.on('end', () => {
    if (exchange === undefined) upstream.end();
    else exchange.requestEnd();
  });
  upstream.on('end', () => {
    if (exchange === undefined) caller.end();
    else exchange.replyEnd();
  });
  caller.on('close', () => {
    exchange?.stop();
    upstream.destroy();
  });
  upstream.on('close', (hadError) => {
    if (hadError && !exchange?.swallows) caller.destroy();
  });
}

function pickFault(faults: readonly Fault[], pick: number): Fault | undefined {
  let upTo = 0;
  for (const fault of faults) {
    upTo += fault.share;
    if (pick < upTo) return fault;
  }
  return undefined;
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}
