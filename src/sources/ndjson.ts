/** Newline-delimited JSON: one job request a line in, one outcome a line out. */
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { FaasError } from '../core/errors.js';
import type { ProducerItem } from '../runner/item.js';
import type { Outcome } from '../runner/outcome.js';
import { stoppable } from './stoppable.js';

/**
 * Reads job requests such as `{"jobName":"square","input":7}` or `{"jobId":0,"input":7,"metadata":{"a":"1"}}`.
 * Empty lines are skipped. A line that is no JSON object becomes an item the runner answers with a failed
 * outcome; its error and `input` tell the line's number, so that nothing is lost and nothing stops. A runner that stops
 * destroys the stream, so that one without an end, such as stdin, keeps no process alive.
 * @throws what the stream fails with
 */
export function fromNdjson(stream: Readable): AsyncGenerator<ProducerItem> {
  let lines: Interface | undefined;
  // A stream may fail before anybody reads it, or after: neither must end the process.
  stream.on('error', ignore);
  // A stream that is destroyed would leave the wait for its next line as it is.
  stream.once('close', () => lines?.close());

  async function* items(): AsyncGenerator<ProducerItem> {
    let lineNumber = 0;
    if (!stream.destroyed) {
      lines = createInterface({ input: stream, crlfDelay: Infinity }).on('error', ignore);
      for await (const line of lines) {
        lineNumber += 1;
        if (line.trim() !== '') yield readLine(line, lineNumber);
      }
    }
    if (stream.errored !== null) throw stream.errored;
  }

  return stoppable(items(), () => {
    lines?.close();
    stream.destroy();
  });
}

function ignore(): void {}

function readLine(line: string, lineNumber: number): ProducerItem {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as ProducerItem;
    return badLine(lineNumber, 'is JSON, but not an object');
  } catch (error) {
    return badLine(lineNumber, `is not JSON: ${(error as Error).message}`);
  }
}

function badLine(lineNumber: number, fault: string): ProducerItem {
  return { fault: `line ${lineNumber} ${fault}`, input: { line: lineNumber } };
}

/**
 * A consumer that writes each outcome as one line, and waits while the stream is full. Errors of the stream end here:
 * they fail the outcomes that can no longer be written, not the process.
 * @throws {FaasError} UNAVAILABLE when the stream was closed, for example by `head`
 */
export function toNdjson(stream: Writable): (outcome: Outcome) => Promise<void> | undefined {
  let failure: unknown;
  stream.on('error', (error) => {
    failure = error;
  });
  return (outcome) => {
    if (failure !== undefined || stream.destroyed || stream.writableEnded) throw outputClosed(failure);
    if (stream.write(`${JSON.stringify(outcome, binaryAsBase64)}\n`)) return undefined;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        stream.off('drain', onDrain).off('close', onClosed).off('error', onClosed);
        act();
      };
      const onDrain = () => settle(resolve);
      const onClosed = (error?: unknown) => settle(() => reject(outputClosed(error)));
      stream.once('drain', onDrain).once('close', onClosed).once('error', onClosed);
    });
  };
}

function outputClosed(cause: unknown): FaasError {
  const message = 'The output stream is closed.';
  return new FaasError({ code: 'UNAVAILABLE', executed: 'no', message, cause });
}

/** JSON has no bytes; `{ "base64": … }` keeps a Uint8Array from becoming an object of numbers. */
function binaryAsBase64(this: unknown, key: string, value: unknown): unknown {
  // A Buffer has turned itself into { type, data } by now: look at the original.
  const original = (this as Record<string, unknown>)[key];
  return original instanceof Uint8Array ? { base64: Buffer.from(original).toString('base64') } : value;
}
