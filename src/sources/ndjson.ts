/** Newline-delimited JSON: one job request a line in, one outcome a line out. */

import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { FaasError } from '../core/errors.js';
import type { ProducerItem } from '../runner/item.js';
import type { Outcome } from '../runner/outcome.js';

/**
 * Reads job requests such as `{"jobName":"square","input":7}` or `{"jobId":0,"input":7,"metadata":{"a":"1"}}`.
 * Empty lines are skipped. A line that is no JSON object becomes an item the runner answers with a failed
 * outcome; its error and `input` tell the line's number, so that nothing is lost and nothing stops.
 */
export async function* fromNdjson(stream: Readable): AsyncGenerator<ProducerItem> {
  let lineNumber = 0;
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    lineNumber += 1;
    if (line.trim() === '') continue;
    yield readLine(line, lineNumber);
  }
}

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
 * A consumer that writes each outcome as one line, and waits while the stream is full.
 * @throws {FaasError} UNAVAILABLE when the stream was closed, for example by `head`
 */
export function toNdjson(stream: Writable): (outcome: Outcome) => Promise<void> | undefined {
  return (outcome) => {
    if (stream.destroyed || stream.writableEnded) {
      throw new FaasError({ code: 'UNAVAILABLE', executed: 'no', message: 'The output stream is closed.' });
    }
    if (stream.write(`${JSON.stringify(outcome, binaryAsBase64)}\n`)) return undefined;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        stream.off('drain', onDrain);
        stream.off('close', onClose);
        act();
      };
      const onDrain = () => settle(resolve);
      const onClose = () => settle(() => reject(new Error('The output stream was closed.')));
      stream.once('drain', onDrain);
      stream.once('close', onClose);
    });
  };
}

/** JSON has no bytes; `{ "base64": … }` keeps a Uint8Array from becoming an object of numbers. */
function binaryAsBase64(this: unknown, key: string, value: unknown): unknown {
  // A Buffer has turned itself into { type, data } by now: look at the original.
  const original = (this as Record<string, unknown>)[key];
  return original instanceof Uint8Array ? { base64: Buffer.from(original).toString('base64') } : value;
}
