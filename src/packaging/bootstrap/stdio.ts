/** The stdin/stdout protocol: one process a call, the request in, the answer out, both as JSON or both as binary-1. */
import { writeSync } from 'node:fs';
import { answerInKind, failure } from './answer.js';
import type { FindJob } from './jobs.js';

type Write = typeof process.stdout.write;

/**
 * Takes stdout for the answer. Everything else that is printed goes to stderr, the log: a handler may use
 * console.log. Must come before the user's module is loaded.
 */
export function openStdio(): Stdio {
  const write = process.stdout.write.bind(process.stdout) as Write;
  process.stdout.write = process.stderr.write.bind(process.stderr) as Write;
  return new Stdio(write);
}

export class Stdio {
  readonly #write: Write;
  #answered = false;

  constructor(write: Write) {
    this.#write = write;
    process.stdout.on('error', () => process.exit(1)); // nobody reads the answer any more
    process.on('exit', (code) => this.#answerAtExit(code));
  }

  async serve(findJob: FindJob): Promise<void> {
    try {
      this.#finish(await answerInKind(findJob, await readStdin()), 0);
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  fail(thrown: unknown): void {
    this.#finish(failure(thrown), 1);
  }

  #finish(text: Buffer, exitCode: number): void {
    if (this.#answered) return;
    this.#answered = true;
    // Exits explicitly: a timer or socket the handler forgot must not keep a finished call running. The callback
    // comes once the pipe has taken everything.
    this.#write(text, (error) => process.exit(error ? 1 : exitCode));
  }

  /** The process ends without an answer: the handler called process.exit, or waits for nothing that could happen. */
  #answerAtExit(code: number): void {
    if (this.#answered) return;
    this.#answered = true;
    const reason =
      code === 0
        ? 'The handler never finished: it waits for something that cannot happen, or it called process.exit.'
        : `The process was ended with exit code ${code} before the handler finished.`;
    writeSync(1, failure(new Error(reason)));
    process.exitCode = code || 1;
  }
}

async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
