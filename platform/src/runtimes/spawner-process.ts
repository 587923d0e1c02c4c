/**
 * The spawner: a small process that starts other processes for the platform, because a fork stops its caller for as
 * long as it takes to copy the caller's page tables. It runs on its own and may import Node's modules only.
 *
 * For each process the platform makes three connections to it. The first line of each says what it is for: `control`
 * (what to start), `stdout` or `stderr`. The latter two become the process's own; the control connection is its
 * lifeline. `<length>\n<bytes>` and then `end\n` on it is the input; `order <length>\n<bytes>` before that does not
 * count as input. Its end is the end of the process. It carries back one line when the process runs or cannot be
 * started, and one when it has ended.
 *
 * The process's stdin is made here, so that a platform that dies is not mistaken for the end of an empty input: the
 * spawner outlives it for the moment it takes to kill what waits.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';

type End = 'stdin' | 'stdout' | 'stderr';

interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

interface Greeting {
  readonly id: string;
  readonly end: End | 'control';
  readonly command?: Command;
}

/** What has come in so far for one process. */
interface Start {
  readonly ends: Map<End, Socket>;
  control?: Socket;
  command?: Command;
  /** The other side of `stdin`. */
  input?: Socket;
}

const LINE_FEED = 0x0a;
const [, , socketPath = ''] = process.argv;
const starts = new Map<string, Start>();
const running = new Set<ChildProcess>();

closeInherited();

const server = createServer((socket) => {
  socket.on('error', () => {});
  onLine(socket, (line) => greet(socket, JSON.parse(line) as Greeting));
});
server.listen(socketPath, () => process.stdout.write('ready\n'));

/**
 * Whoever started the platform may have left files open in it, and every process it starts would have them too. Node
 * marks its own as closed at exec; what is not marked came from outside.
 */
function closeInherited(): void {
  const CLOEXEC = 0o2000000;
  for (const name of readdirSync('/proc/self/fdinfo')) {
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'latin1'))?.[1];
      const isInherited = flags !== undefined && (Number.parseInt(flags, 8) & CLOEXEC) === 0;
      if (Number(name) > 2 && isInherited) closeSync(Number(name));
    } catch {
      // The folder's own descriptor: closed by now.
    }
  }
}

// The platform holds the other end: it closes, however the platform ends.
process.stdin.on('close', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(dirname(socketPath), { recursive: true, force: true });
  process.exit();
});
process.stdin.resume();
// Whoever stops the service asks the platform, which still needs this process to end its calls in order.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => {});

/** Hands over the first line, then leaves the socket paused with whatever followed. */
function onLine(socket: Socket, listener: (line: string) => void): void {
  let head: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const end = head.indexOf(LINE_FEED);
    if (end === -1) return;
    socket.off('data', onData);
    socket.pause();
    if (end + 1 < head.length) socket.unshift(head.subarray(end + 1));
    listener(head.subarray(0, end).toString('utf8'));
  };
  socket.on('data', onData);
  socket.resume();
}

function greet(socket: Socket, { id, end, command }: Greeting): void {
  const start = starts.get(id) ?? { ends: new Map<End, Socket>() };
  starts.set(id, start);
  if (end === 'control') {
    start.control = socket;
    if (command !== undefined) start.command = command;
    start.input = connect(socketPath);
    start.input.on('error', () => {});
    start.input.write(greetingLine({ id, end: 'stdin' }));
    socket.once('close', () => forget(id));
  } else start.ends.set(end, socket);
  if (start.control?.destroyed === true) return forget(id);
  const { stdin, stdout, stderr } = Object.fromEntries(start.ends) as Partial<Record<End, Socket>>;
  if (start.control && start.command && start.input && stdin && stdout && stderr) {
    starts.delete(id);
    launch(start.control, start.command, start.input, [stdin, stdout, stderr]);
  }
}

function greetingLine(greeting: Greeting): string {
  return `${JSON.stringify(greeting)}\n`;
}

/** The platform gave up before everything was there. */
function forget(id: string): void {
  const start = starts.get(id);
  starts.delete(id);
  for (const end of start?.ends.values() ?? []) end.destroy();
  start?.input?.destroy();
}

function launch(control: Socket, command: Command, input: Socket, ends: [Socket, Socket, Socket]): void {
  const tell = (message: object): void => void control.write(`${JSON.stringify(message)}\n`);
  const refuse = (error: NodeJS.ErrnoException): void => {
    tell({ failed: error.code ?? error.message });
    control.end();
    input.destroy();
  };
  try {
    const { file, args, cwd, env } = command;
    // A session of its own: Ctrl-C in the platform's terminal reaches the platform only.
    const child = spawn(file, args, { cwd, env, stdio: ends, detached: true });
    if (child.pid === undefined) child.once('error', refuse);
    else attend(child, control, input, tell);
  } catch (error) {
    refuse(error as NodeJS.ErrnoException);
  } finally {
    // The process has copies; these would keep its ends open.
    for (const end of ends) end.destroy();
  }
}

/** Sees a running process through to its end. */
function attend(child: ChildProcess, control: Socket, input: Socket, tell: (message: object) => void): void {
  running.add(child);
  child.on('error', () => {});
  tell({ pid: child.pid });
  control.once('close', () => child.kill('SIGKILL'));
  // A process that ends with input unread breaks the connection; one that has read it all only closes it.
  let inputGiven = false;
  let inputRead = false;
  input.once('end', () => {
    inputRead = input.writableFinished;
  });
  input.resume();
  relay(control, input, () => {
    inputGiven = running.has(child);
    return inputGiven;
  });
  child.once('exit', (exitCode, signal) => {
    running.delete(child);
    tell({ exitCode, signal, inputGiven, inputRead });
    control.end();
    input.destroy();
  });
}

/**
 * Hands the input on. It never pauses: the end of control must be seen.
 * @param mayBegin asked before the first byte; false when the process has ended already
 */
function relay(control: Socket, input: Socket, mayBegin: () => boolean): void {
  let line = '';
  let left = 0;
  const take = (chunk: Buffer): void => {
    for (let at = 0; at < chunk.length; ) {
      if (left > 0) {
        const part = chunk.subarray(at, at + left);
        input.write(part);
        left -= part.length;
        at += part.length;
        continue;
      }
      const end = chunk.indexOf(LINE_FEED, at);
      line += chunk.toString('latin1', at, end === -1 ? chunk.length : end);
      if (end === -1) return;
      at = end + 1;
      const [word = '', length] = line.split(' ');
      if (word === 'end') input.end();
      else if (word === 'order') left = Number(length);
      else if (mayBegin()) left = Number(word);
      else return;
      line = '';
    }
  };
  // An end that came before the input has been heard of when this round of events is over.
  control.on('data', (chunk: Buffer) => setImmediate(take, chunk));
  control.resume();
}
