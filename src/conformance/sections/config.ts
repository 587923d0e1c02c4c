/** The header X-Blueprint-Config: what it may hold, and that the rest is refused by name. */

import { answering } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import { encodeConfig } from '../context.js';
import { check, checkFailure, checkSame, checkStatus, describeReply } from '../expect.js';
import { packScript } from '../zip.js';

const ARCHIVE = packScript(answering('configured'));

/** Sent as it is. */
const BAD_HEADERS: readonly (readonly [what: string, header: string])[] = [
  ['no base64', '{"memory_mb":256}'],
  [
    'base64 with a space',
    `${encodeConfig({ memory_mb: 256 }).slice(0, 8)} ${encodeConfig({ memory_mb: 256 }).slice(8)}`,
  ],
  ['base64 cut short', encodeConfig({ memory_mb: 256, a: 1 }).slice(0, 9)],
  ['base64 of no JSON', Buffer.from('memory_mb=256').toString('base64')],
  ['base64 of an array', encodeConfig([256])],
  ['base64 of null', encodeConfig(null)],
  ['base64 of bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]).toString('base64')],
];

const BAD_FIELDS: readonly (readonly [field: string, config: unknown])[] = [
  ['memory_mb', { memory_mb: 100 }],
  ['memory_mb', { memory_mb: 129 }],
  ['memory_mb', { memory_mb: 20480 }],
  ['memory_mb', { memory_mb: '512' }],
  ['timeout_secs', { timeout_secs: 0 }],
  ['timeout_secs', { timeout_secs: 901 }],
  ['timeout_secs', { timeout_secs: 1.5 }],
  ['max_concurrency', { max_concurrency: 0 }],
  ['max_concurrency', { max_concurrency: 1001 }],
  ['env_vars', { env_vars: ['A=1'] }],
  ['A', { env_vars: { A: 1 } }],
  ['1A', { env_vars: { '1A': 'x' } }],
  ['memory', { memory: 512 }],
];

const number = (index: number): string => String(index).padStart(2, '0');

const badHeaders = BAD_HEADERS.map(
  ([what, header], index): Case => ({
    id: `config-${number(index + 5)}`,
    cites: 'CFG-2',
    title: `${what} is 400 INVALID_CONFIG`,
    async run(context) {
      const reply = await context.put(context.name(), ARCHIVE, undefined, {
        headers: { 'x-blueprint-config': header },
      });
      checkFailure(reply, 400, 'INVALID_CONFIG');
    },
  }),
);

const badFields = BAD_FIELDS.map(
  ([field, config], index): Case => ({
    id: `config-${number(index + 12)}`,
    cites: 'CFG-3',
    title: `${JSON.stringify(config)} is 400 INVALID_CONFIG and names ${field}`,
    async run(context) {
      const headers = { 'x-blueprint-config': encodeConfig(config) };
      const reply = await context.put(context.name(), ARCHIVE, undefined, { headers });
      const { error } = checkFailure(reply, 400, 'INVALID_CONFIG');
      check(String(error).includes(field), `an error that names ${field}`, error);
    },
  }),
);

export const config: Section = {
  name: 'config',
  cases: [
    {
      id: 'config-01',
      cites: 'CFG-1',
      title: 'without the header the record shows 512 MiB and 300 s',
      async run(context) {
        const record = (await context.put(context.name(), ARCHIVE)).json();
        checkSame([record['memory_mb'], record['timeout_secs']], [512, 300], '[memory_mb, timeout_secs]');
      },
    },
    {
      id: 'config-02',
      cites: 'CFG-1',
      title: 'missing fields take the defaults',
      async run(context) {
        const record = (await context.put(context.name(), ARCHIVE, { timeout_secs: 20 })).json();
        checkSame([record['memory_mb'], record['timeout_secs']], [512, 20], '[memory_mb, timeout_secs]');
      },
    },
    {
      id: 'config-03',
      cites: 'CFG-1',
      title: 'an empty object is a configuration of defaults',
      async run(context) {
        checkStatus(await context.put(context.name(), ARCHIVE, {}), 200);
      },
    },
    {
      id: 'config-04',
      cites: 'CFG-1',
      title: 'max_concurrency, where it was given, stands in the record',
      async run(context) {
        const reply = await context.put(context.name(), ARCHIVE, { max_concurrency: 3 });
        checkStatus(reply, 200);
        check(reply.json()['max_concurrency'] === 3, 'max_concurrency 3', describeReply(reply));
      },
    },
    ...badHeaders,
    ...badFields,
    ...['HOME', 'TMPDIR', 'FAAS_FUNCTION_ID'].map(
      (name, index): Case => ({
        id: `config-${25 + index}`,
        cites: 'CFG-4',
        title: `env_vars may not set ${name}`,
        async run(context) {
          const reply = await context.put(context.name(), ARCHIVE, { env_vars: { [name]: 'x' } });
          checkFailure(reply, 400, 'INVALID_CONFIG');
        },
      }),
    ),
  ],
};
