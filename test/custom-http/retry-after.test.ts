import { describe, expect, it } from 'vitest';
import { retryAfterMs } from '../../src/executors/shared/retry-after.ts';

const NOW = Date.parse('2026-11-20T12:00:00Z');

describe('Retry-After', () => {
  it.each([
    ['seconds', '3', 3000],
    ['no wait', '0', 0],
    ['a fraction, which some servers send', '1.5', 1500],
    ['blanks around', ' 2 ', 2000],
    ['more than a day, clamped', '1000000000', 86_400_000],
    ['a date', 'Fri, 20 Nov 2026 12:00:05 GMT', 5000],
    ['a date in the past, which means now', 'Fri, 20 Nov 2026 11:00:00 GMT', 0],
    ['a far date, clamped', 'Fri, 20 Nov 2099 12:00:00 GMT', 86_400_000],
    ['the older date format', 'Friday, 20-Nov-26 12:00:05 GMT', 5000],
    ['a negative number', '-5', undefined],
    ['a word', 'soon', undefined],
    ['nothing', '', undefined],
    ['something that only looks like a date', 'Fri, tomorrow', undefined],
    ['what Date.parse would take for a date', 'x 1', undefined],
    ['a list', ['1', '2'], undefined],
    ['no header', undefined, undefined],
  ])('%s: %j', (_title, header, expected) => {
    expect(retryAfterMs(header, NOW)).toBe(expected);
  });
});
