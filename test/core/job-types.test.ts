// What the compiler says about jobs. The assertions are checked by `tsc`; the run shows that the types tell the truth.
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { MemoryExecutor } from '../../src/executors/memory/index.js';
import { type Codec, defineJob, type JobRequest, JobRunner, type OutcomeOf } from '../../src/index.js';

const when = defineJob({
  id: 1,
  name: 'when',
  input: z.object({ at: z.string().transform((text) => new Date(text)), tries: z.number().default(3) }),
  output: z.number().transform((epochMs) => new Date(epochMs)),
  handler: async ({ at, tries }) => {
    expectTypeOf(at).toEqualTypeOf<Date>();
    expectTypeOf(tries).toEqualTypeOf<number>();
    return at.getTime() + tries;
  },
});

describe('a job whose schemas transform', () => {
  it('takes what the input schema takes, and its outcome holds what the output schema gives', () => {
    type Given = { at: string; tries?: number | undefined };
    expectTypeOf(when.call).parameter(0).toEqualTypeOf<Given>();
    expectTypeOf(when.call({ at: '2026-01-01' })).toEqualTypeOf<JobRequest<Given>>();
    // @ts-expect-error: the schema takes a text
    when.call({ at: new Date(), tries: 1 });
    type Ok = Extract<OutcomeOf<typeof when>, { status: 'ok' }>;
    expectTypeOf<Ok['input']>().toEqualTypeOf<Given>();
    expectTypeOf<Ok['value']>().toEqualTypeOf<Date>();
  });

  it.each(['local', 'memory'])('does at run time what its types say: %s', async (place) => {
    const values: unknown[] = [];
    const builder = JobRunner.builder()
      .job(when)
      .producer([when.call({ at: '1970-01-01' })])
      .consumer(({ value, input }) => values.push(value, input));
    if (place === 'memory') builder.withFaasExecutor(1, new MemoryExecutor({ jobs: [when] }));
    await builder.run();
    expect(values).toEqual([new Date(3), { at: '1970-01-01' }]);
  });

  it('coerces: what may be given is wider than what the handler gets', () => {
    const twice = defineJob({ id: 2, name: 'twice', input: z.coerce.number(), handler: (n) => n * 2 });
    expectTypeOf(twice.handler).exclude(undefined).parameter(0).toEqualTypeOf<number>();
    twice.call('12');
    twice.call(12);
  });

  it('refuses a handler that does not fit its schemas', () => {
    // @ts-expect-error: the schema gives a number
    defineJob({ id: 3, name: 'a', input: z.number(), handler: (text: string) => text });
    // @ts-expect-error: the schema takes a number
    defineJob({ id: 3, name: 'b', output: z.number(), handler: () => 'text' });
  });
});

describe('a job without schemas', () => {
  it('takes what its handler takes and gives what that returns', () => {
    const square = defineJob({ id: 4, name: 'square', handler: async (n: number) => n * n });
    expectTypeOf(square.call).parameter(0).toEqualTypeOf<number>();
    expectTypeOf<Extract<OutcomeOf<typeof square>, { status: 'ok' }>['value']>().toEqualTypeOf<number>();
    const nothing = defineJob({ id: 5, name: 'nothing', handler: () => 'done' });
    nothing.call();
    const elsewhere = defineJob<6, 'elsewhere', number, string>({ id: 6, name: 'elsewhere' });
    expectTypeOf(elsewhere.call).parameter(0).toEqualTypeOf<number>();
    expectTypeOf<Extract<OutcomeOf<typeof elsewhere>, { status: 'ok' }>['value']>().toEqualTypeOf<string>();
  });

  it('takes the bytes codec for bytes only', () => {
    defineJob({ id: 7, name: 'bytes', codec: 'bytes', handler: async (image: Uint8Array) => image });
    defineJob({
      id: 7,
      name: 'pieces',
      codec: 'bytes',
      handler: async function* (all: Uint8Array) {
        yield all;
      },
    });
    defineJob({ id: 7, name: 'elsewhere', codec: 'bytes' });
    // @ts-expect-error: a number is not bytes
    defineJob({ id: 7, name: 'number', codec: 'bytes', handler: (n: number) => n });
    const sized = (image: Uint8Array) => ({ size: image.length });
    // @ts-expect-error: an object is not bytes
    defineJob({ id: 7, name: 'half', codec: 'bytes', handler: sized });
  });

  it('takes a codec of its own for what the caller gives and what the handler returns', () => {
    const text: Codec<string> = {
      contentType: 'text/plain',
      encode: (value) => Buffer.from(value),
      decode: (bytes) => Buffer.from(bytes).toString(),
    };
    const codec = { input: text, output: text };
    const upper = defineJob({ id: 8, name: 'upper', codec, handler: (value: string) => value.toUpperCase() });
    expectTypeOf(upper.call).parameter(0).toEqualTypeOf<string>();
    const parse = defineJob({
      id: 8,
      name: 'parse',
      codec,
      input: z.string().transform(Number),
      handler: (n) => String(n),
    });
    expectTypeOf(parse.call).parameter(0).toEqualTypeOf<string>();
    expectTypeOf(parse.handler).exclude(undefined).parameter(0).toEqualTypeOf<number>();
  });
});
