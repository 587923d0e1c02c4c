/** The lines of an ndjson body. */
import { FaasError } from '../../core/errors.js';
import type { Place } from '../shared/transport-error.js';

/** A message has 16 KiB at most, which escapes can make six times as long. */
const MAX_LINE_LENGTH = 256 * 1024;

/**
 * Whole lines only: a last one without its end was cut off. Empty lines, which keep a connection alive, are passed
 * on too.
 * @throws {FaasError} PROTOCOL for a line that goes on and on, and what `body` throws.
 */
export async function* readLines(body: AsyncIterable<Uint8Array>, place: Place): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of body) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (rest.length > MAX_LINE_LENGTH) throw tooLong(place);
  }
}

function tooLong({ provider, functionName, origin }: Place): FaasError {
  const message = `${origin} sent a log line of ${functionName} without an end. Check that it speaks the custom-FaaS spec 1.1.`;
  return new FaasError({ code: 'PROTOCOL', executed: 'no', provider, functionName, message });
}
