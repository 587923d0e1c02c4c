import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { confirm } from '../../src/cli/resources/confirm.js';

/** A terminal at which something is typed as soon as the question is there. */
function terminal(typed: string | undefined) {
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const output = new PassThrough();
  let shown = '';
  output.on('data', (chunk) => {
    shown += chunk;
    if (typed !== undefined && shown.endsWith('does it: ')) input.write(typed);
  });
  return { input, output };
}

const forever = new AbortController().signal;
const cancelled = { code: 'CANCELLED', executed: 'no', message: 'Nothing was done.' };

describe('the question before anything is changed', () => {
  it('takes "yes"', () => expect(confirm(forever, terminal('yes\r'))).resolves.toBeUndefined());

  it.each([
    ['no', 'no\r'],
    ['y', 'y\r'],
    ['nothing', '\r'],
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('takes %s for a no, which exits like an interrupt', (_, typed) =>
    expect(confirm(forever, terminal(typed))).rejects.toMatchObject(cancelled),
  );

  it('ends with the signal, also one from before', async () => {
    const stop = new AbortController();
    const asked = confirm(stop.signal, terminal(undefined));
    setTimeout(() => stop.abort(), 20);
    await expect(asked).rejects.toMatchObject(cancelled);
    await expect(confirm(AbortSignal.abort(), terminal('yes\r'))).rejects.toMatchObject(cancelled);
  });
});
