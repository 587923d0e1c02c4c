/** Progress on stderr: a bar on a terminal, now and then a line elsewhere. */

const WIDTH = 30;
const LINES_IN_ALL = 10;

export class Progress {
  readonly #total: number;
  readonly #isTerminal = process.stderr.isTTY === true;
  #done = 0;
  #drawnAtMs = 0;

  constructor(total: number) {
    this.#total = total;
  }

  step(): void {
    this.#done += 1;
    if (this.#isTerminal) this.#draw();
    else if (
      this.#done === this.#total ||
      this.#done % Math.max(1, Math.ceil(this.#total / LINES_IN_ALL)) === 0
    ) {
      console.error(this.#text());
    }
  }

  /** A line that stays, above the bar. */
  note(text: string): void {
    this.#clear();
    console.error(text);
    this.#draw(true);
  }

  end(): void {
    this.#draw(true);
    if (this.#isTerminal) process.stderr.write('\n');
  }

  #draw(always = false): void {
    if (!this.#isTerminal || (!always && performance.now() - this.#drawnAtMs < 50)) return;
    this.#drawnAtMs = performance.now();
    const filled = Math.min(WIDTH, Math.floor((this.#done / Math.max(1, this.#total)) * WIDTH));
    process.stderr.write(`\r[${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}] ${this.#text()}`);
  }

  #clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }

  #text(): string {
    return `${this.#done} of ${this.#total} files`;
  }
}
