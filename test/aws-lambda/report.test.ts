import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTail, readReport } from '../../src/executors/aws-lambda/report.js';

const ID = '8f507cfc-xmpl-4697-b07a-ac58fc914c95';
const line = (rest: string, id = ID) => `REPORT RequestId: ${id}\t${rest}`;
const WARM = 'Duration: 1201.12 ms\tBilled Duration: 1300 ms\tMemory Size: 128 MB\tMax Memory Used: 78 MB\t';

describe('the report of a call (origin-defects 0.9: a figure comes from the provider or is absent)', () => {
  it('reads the REPORT line of a cold start', () => {
    expect(readReport(`START\nEND\n${line(`${WARM}Init Duration: 287.33 ms\t`)}\n`, ID)).toEqual({
      executionMs: 1201.12,
      billedMs: 1300,
      memorySizeMb: 128,
      memoryUsedMb: 78,
      initMs: 287.33,
    });
  });

  it('a warm call has no start', () => {
    expect(readReport(line(WARM), ID)?.initMs).toBeUndefined();
  });

  it('a restored snapshot counts as a start, and its billed time does not', () => {
    const report = readReport(
      line(`${WARM}Restore Duration: 511.20 ms\tBilled Restore Duration: 180 ms\t`),
      ID,
    );
    expect(report?.initMs).toBe(511.2);
    expect(report?.executionMs).toBe(1201.12);
  });

  it('reads platform.report in JSON, and its status', () => {
    const metrics = {
      durationMs: 2.5,
      billedDurationMs: 3,
      memorySizeMB: 128,
      maxMemoryUsedMB: 60,
      initDurationMs: 111.1,
    };
    const record = { requestId: ID, status: 'timeout', metrics };
    const tail = `{"time":"x","type":"platform.start"}\n${JSON.stringify({ type: 'platform.report', record })}\n`;
    expect(readReport(tail, ID)).toEqual({
      executionMs: 2.5,
      billedMs: 3,
      memorySizeMb: 128,
      memoryUsedMb: 60,
      initMs: 111.1,
      status: 'timeout',
    });
  });

  it('a report of another call, or one the handler printed before, is not believed', () => {
    expect(readReport(line(WARM, 'other'), ID)).toBeUndefined();
    expect(readReport(`${line('Duration: 1 ms\t')}\n${line('Duration: 9 ms\t')}`, ID)?.executionMs).toBe(9);
  });

  it('without a tail, or with one that was cut off, figures are unknown and not zero', () => {
    expect(decodeTail(undefined)).toBeUndefined();
    expect(readReport(`rt RequestId: ${ID}\tDuration: 12 ms`, ID)).toBeUndefined();
    expect(readReport('{"type":"platform.report","record":{"metr', ID)).toBeUndefined();
  });

  it('no text makes it throw', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        'REPORT RequestId: ',
        ID,
        'Duration: ',
        ' ms',
        '\t',
        '\n',
        '{"type":"platform.report","record":',
        '}',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const report = readReport(pieces.join(''), ID);
        for (const figure of Object.values(report ?? {}))
          if (typeof figure === 'number') expect(figure).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
