/** `GET /api`: what the platform says of itself, and whether it is true. */

import { ECHO, RECEIVED } from '../bootstraps.js';
import type { Section } from '../case.js';
import { check, checkStatus, describeReply, isObject } from '../expect.js';
import { FEATURES } from '../types.js';

const RANGES = ['memory_mb', 'timeout_secs', 'max_concurrency'] as const;
const SIZES = [
  'max_request_bytes',
  'max_args_bytes',
  'max_result_bytes',
  'max_zip_bytes',
  'max_unzipped_bytes',
];
const OF_FEATURE: Readonly<Record<string, string>> = {
  max_metadata_bytes: 'call-context',
  max_wait_secs: 'async',
  invocation_retention_secs: 'async',
  idempotency_ttl_secs: 'idempotency',
  log_retention_lines: 'logs',
};

export const discovery: Section = {
  name: 'discovery',
  cases: [
    {
      id: 'discovery-01',
      cites: 'DSC-1',
      title: 'spec, platform and version are there',
      needs: ['discovery'],
      async run({ platform }) {
        checkStatus(platform.api, 200);
        const { spec, platform: name, version } = platform.api.json();
        check(spec === '1.0' || spec === '1.1', 'spec "1.0" or "1.1"', spec);
        check(typeof name === 'string' && name !== '', 'platform: its name', name);
        check(typeof version === 'string' && version !== '', 'version: text', version);
      },
    },
    {
      id: 'discovery-02',
      cites: 'DSC-1',
      title: 'limits holds the core limits with their types',
      needs: ['discovery'],
      async run({ platform }) {
        const { limits } = platform.api.json();
        check(isObject(limits), 'limits: an object', limits);
        for (const name of SIZES) {
          const value = limits[name];
          check(Number.isInteger(value) && Number(value) > 0, `${name}: a positive integer`, value);
        }
        for (const name of RANGES) {
          const range = limits[name];
          check(
            isObject(range) && Number(range['min']) >= 1 && Number(range['max']) >= Number(range['min']),
            `${name}: {min, max}`,
            range,
          );
        }
      },
    },
    {
      id: 'discovery-03',
      cites: 'DSC-2',
      title: 'features is a list of names, without repetition',
      needs: ['discovery'],
      async run({ platform }) {
        const { features } = platform.api.json();
        check(
          Array.isArray(features) && features.every((name) => typeof name === 'string'),
          'features: an array of texts',
          features,
        );
        check(new Set(features).size === features.length, 'no feature twice', features);
      },
    },
    {
      id: 'discovery-04',
      cites: 'DSC-2',
      title: 'what is not listed is not offered either',
      needs: ['discovery'],
      async run(context) {
        const id = await context.shared(ECHO);
        if (!context.offers('list')) {
          const reply = await context.send('GET', '/api/functions');
          check(
            reply.status === 404 || reply.status === 405,
            '404 or 405, since list is not in features',
            describeReply(reply),
          );
        }
        if (!context.offers('logs')) {
          const reply = await context.send('GET', `/api/functions/${id}/logs`);
          checkStatus(reply, 404);
        }
        if (!context.offers('async')) {
          const reply = await context.invoke(id, 'x', { headers: { prefer: 'respond-async' } });
          check(
            reply.status !== 202,
            'anything but 202, since async is not in features',
            describeReply(reply),
          );
        }
      },
    },
    {
      id: 'discovery-05',
      cites: 'DSC-3',
      title: 'limits of features that are not offered are absent',
      needs: ['discovery'],
      async run(context) {
        const { limits } = context.platform.api.json();
        check(isObject(limits), 'limits: an object', limits);
        for (const [name, feature] of Object.entries(OF_FEATURE)) {
          const isOffered = FEATURES.some((known) => known === feature && context.offers(known));
          check(name in limits === isOffered, `${name} ${isOffered ? 'there' : 'absent'}`, limits);
        }
      },
    },
    {
      id: 'discovery-06',
      cites: 'DSC-3',
      title: 'max_args_bytes is the limit in force',
      needs: ['discovery'],
      async run(context) {
        const limit = context.platform.limit('max_args_bytes') ?? 0;
        check(limit >= 1024 * 1024, 'at least 1 MiB', limit);
        if (limit > 16 * 1024 * 1024) return; // the rest would cost more than it tells
        const id = await context.shared(RECEIVED);
        const tooLarge = `{"job_id":7,"args":[${'1,'.repeat(limit)}1]}`;
        const headers = { 'content-type': 'application/json' };
        const reply = await context.send('POST', `/api/functions/${id}/invoke`, { headers, body: tooLarge });
        checkStatus(reply, 413);
      },
    },
    {
      id: 'discovery-07',
      cites: 'DSC-4',
      title: 'isolation says what is in force',
      needs: ['discovery'],
      async run({ platform }) {
        const { isolation } = platform.api.json();
        check(isObject(isolation), 'isolation: an object', isolation);
        const { mode, memory, processTree } = isolation;
        check(
          ['process', 'sandbox', 'container'].includes(String(mode)),
          'mode: process, sandbox or container',
          mode,
        );
        check(typeof memory === 'string' && memory !== '', 'memory: how it is limited', memory);
        check(
          typeof processTree === 'string' && processTree !== '',
          'processTree: how it is held',
          processTree,
        );
      },
    },
  ],
};
