/** Whatever comes from outside: parsers that take anything, and give back what was put in. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callError, controlError, saidIn } from '../../src/executors/e2e-openfaas/errors.js';
import { E2eOpenFaasExecutor } from '../../src/executors/e2e-openfaas/index.js';
import { asEnvironment, marksOf, readMarks } from '../../src/executors/e2e-openfaas/marks.js';
import { stateOf } from '../../src/executors/e2e-openfaas/profile.js';
import { memoryMbOf, secondsOf } from '../../src/executors/e2e-openfaas/units.js';
import { artifact } from './setup.js';

const place = { provider: 'p', functionName: 'f', origin: 'o' };

describe('quantities and durations', () => {
  it('of whole MiB and seconds come back as they went', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (figure) => {
        expect(memoryMbOf(`${figure}Mi`)).toBe(figure);
        expect(secondsOf(`${figure}s`)).toBe(figure);
      }),
    );
  });

  it.each([
    ['1Gi', 1024],
    ['128M', 122.0703125],
    ['1048576', 1],
    ['', undefined],
    ['lots', undefined],
    [undefined, undefined],
  ])('%s is %s MiB', (text, mb) => expect(memoryMbOf(text)).toBe(mb));

  it.each([
    ['90', 90],
    ['1500ms', 1.5],
    ['2m', 120],
    ['1h', 3600],
    ['1h30m', undefined],
    ['', undefined],
  ])('%s is %s seconds', (text, seconds) => expect(secondsOf(text)).toBe(seconds));

  it('of anything at all are a number or nothing', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        for (const read of [memoryMbOf(value), secondsOf(value)])
          expect(read === undefined || Number.isFinite(read)).toBe(true);
      }),
      { examples: [[{ toString: false }], ['1Mi'], [Symbol('1')]] },
    );
  });
});

describe('marks', () => {
  it('come back from annotations and from environments, and differ when anything differs', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.jsonValue(),
        fc.jsonValue(),
        (jobId, one, other) => {
          const marks = marksOf(jobId, artifact, one);
          const expected = {
            jobId,
            digest: marks['jobferry-digest'],
            sha256: artifact.sha256,
            artifactBytes: artifact.bytes.length,
          };
          expect(readMarks(marks)).toEqual(expected);
          expect(readMarks(asEnvironment(marks), true)).toEqual(expected);
          const isSame = JSON.stringify(one) === JSON.stringify(other);
          expect(marksOf(jobId, artifact, other)['jobferry-digest'] === expected.digest).toBe(isSame);
        },
      ),
    );
  });

  it('of strangers are none, whatever they wrote', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (texts) => {
        expect(readMarks({ ...texts, 'jobferry-job-id': 'seven' }).jobId).toBeUndefined();
      }),
    );
  });
});

describe('replies', () => {
  it('of any status, body and mark are an error whose facts hold together', () => {
    const header = fc.constantFrom(
      'x-openfaas-internal',
      'x-duration-seconds',
      'content-type',
      'retry-after',
    );
    const headers = fc.dictionary(header, fc.string());
    const payload = fc.constantFrom('entry' as const, 'raw' as const);
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 599 }),
        fc.uint8Array(),
        headers,
        payload,
        (status, bytes, given, mode) => {
          const reply = { status, body: Buffer.from(bytes), headers: given };
          const call = callError(reply, mode, place);
          expect(call.status).toBe(status);
          // Nothing is certain to have run by a status alone: it takes a mark or a known text.
          if (given['x-duration-seconds'] === undefined) expect(call.executed).not.toBe('yes');
          expect(controlError(reply, place, (text) => text).executed).toBe('no');
          expect(typeof saidIn(reply.body)).toBe('string');
        },
      ),
    );
  });

  it('have states in any case and any language', () => {
    fc.assert(fc.property(fc.anything(), (value) => void stateOf(value)));
    expect([stateOf('RUNNING'), stateOf('Läuft'), stateOf(null)]).toEqual(['running', 'unknown', 'unknown']);
  });
});

describe('log lines', () => {
  it('are the same however the bytes are cut', async () => {
    const texts = ['a', 'zwölf 🚢', '{"json":true}', '', 'end\r'];
    const lines = texts.map((text) => `${JSON.stringify({ text, timestamp: '2026-01-01T00:00:00Z' })}\n`);
    const bytes = Buffer.from(`${lines.join('')}no json\n{"text":7}\n`);
    let cuts: readonly number[] = [];
    const server = createServer((incoming, outgoing) => {
      if (!incoming.url?.startsWith('/system/logs'))
        return void outgoing.end('{"name":"jobferry-job-1","availableReplicas":1}');
      const ends = [...cuts, bytes.length];
      const writeFrom = (start: number) => {
        const end = ends.shift();
        if (end === undefined) return void outgoing.end();
        outgoing.write(bytes.subarray(start, end));
        setImmediate(() => writeFrom(end));
      };
      writeFrom(0);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await using executor = new E2eOpenFaasExecutor({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    try {
      const cutting = fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(cutting, async (places) => {
          cuts = places.sort((a, b) => a - b);
          const seen: string[] = [];
          for await (const { message } of executor.logs(1)) seen.push(message);
          expect(seen).toEqual(texts);
        }),
        { numRuns: 40 },
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
