import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.js';
import { exchange, type HttpRequest } from '../../src/executors/shared/http.js';
import { errorOf } from '../layers/invokers.js';

it.each([
  [undefined, 'bytes that this client takes. Return less ('],
  ['maxResponseBytes', 'bytes that this client takes. Raise `maxResponseBytes`, or return less ('],
])(
  'a reply that is too long names the option that would help, where there is one (%s)',
  async (option, text) => {
    const server = createServer((_request, reply) => reply.end('x'.repeat(11))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const pool = new Pool(origin);
    const request: HttpRequest = {
      origin,
      method: 'GET',
      path: '/',
      headers: [],
      maxReplyBytes: 10,
      maxReplyOption: option,
    };
    const place = { provider: 'test', functionName: 'job', origin };
    const error = await errorOf(exchange(pool, request, place, callContext()));
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', executed: 'yes', status: 200 });
    expect(error.message).toContain(`more than the 10 ${text}`);
    await pool.destroy();
    server.close();
  },
);
