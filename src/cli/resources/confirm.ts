/** The question before anything is changed. */
import { createInterface } from 'node:readline/promises';
import { FaasError } from '../../index.js';
import { usageError } from '../exit-codes.js';

export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
}

/**
 * Resolves on "yes" only.
 * @throws {FaasError} CANCELLED on any other answer, Ctrl-C, the end of input, or the signal
 */
export async function confirm(
  signal: AbortSignal,
  { input, output }: Terminal = { input: process.stdin, output: process.stderr },
): Promise<void> {
  if (input.isTTY !== true)
    throw usageError('Nobody can be asked here. Add --auto-approve to do this without a question.');
  const prompt = createInterface({ input, output, terminal: true });
  // While it asks, the terminal gives Ctrl-C to the prompt, which would swallow it.
  const closed = new AbortController();
  prompt.once('SIGINT', () => closed.abort()).once('close', () => closed.abort());
  const answer = await prompt
    .question('\nDo this? Only "yes" does it: ', { signal: AbortSignal.any([signal, closed.signal]) })
    .catch(() => undefined)
    .finally(() => prompt.close());
  if (answer?.trim() === 'yes') return;
  if (answer === undefined) output.write('\n');
  throw new FaasError({ code: 'CANCELLED', executed: 'no', message: 'Nothing was done.' });
}
