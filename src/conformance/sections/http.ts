/** HTTP itself: routes, methods, media types, and what is no HTTP. */

import { ECHO } from '../bootstraps.js';
import type { Section } from '../case.js';
import { type CaseContext, encodeConfig, JSON_TYPE } from '../context.js';
import { check, checkFailure, checkStatus, describeReply, Mismatch } from '../expect.js';
import { checkRefusedRaw, sendRaw } from '../raw.js';

const CALL = JSON.stringify({ job_id: 7, args: [1, 2, 3] });

export const http: Section = {
  name: 'http',
  cases: [
    {
      id: 'http-01',
      cites: 'HTP-1',
      title: 'records and errors are application/json',
      async run(context) {
        const id = await context.shared(ECHO);
        for (const path of [id, context.name()]) {
          const { headers } = await context.send('GET', `/api/functions/${path}`);
          const type = headers['content-type'] ?? '';
          check(/^application\/json\s*(;|$)/i.test(type), 'Content-Type: application/json', type);
        }
      },
    },
    ...['/', '/nothing', '/api/nothing', '/api/functions/x/nothing', '/api/functions/x/invoke/more'].map(
      (path, index) => ({
        id: `http-${String(index + 2).padStart(2, '0')}`,
        cites: 'HTP-2',
        title: `GET ${path} is 404 NOT_FOUND`,
        async run(context: CaseContext) {
          checkFailure(await context.send('GET', path), 404, 'NOT_FOUND');
        },
      }),
    ),
    ...(
      [
        ['GET', '/invoke', 'POST'],
        ['PUT', '/invoke', 'POST'],
        ['DELETE', '/health', 'GET'],
        ['GET', '/warm', 'POST'],
        ['POST', '', 'PUT'],
        ['PATCH', '', 'PUT'],
      ] as const
    ).map(([method, part, allowed], index) => ({
      id: `http-${String(index + 7).padStart(2, '0')}`,
      cites: 'HTP-3',
      title: `${method} /api/functions/{id}${part} is 405 with Allow`,
      async run(context: CaseContext) {
        const id = await context.shared(ECHO);
        const reply = await context.send(method, `/api/functions/${id}${part}`);
        checkFailure(reply, 405, 'METHOD_NOT_ALLOWED');
        const allow = String(reply.headers['allow'] ?? 'no Allow header');
        check(allow.split(/\s*,\s*/).includes(allowed), `Allow with ${allowed}`, allow);
      },
    })),
    {
      id: 'http-13',
      cites: 'HTP-4',
      title: 'Content-Length beside Transfer-Encoding is refused, and what follows is no request',
      async run(context) {
        const id = await context.shared(ECHO);
        const smuggled = context.rawRequest(`GET /api/functions/${id}/health`);
        const reply = await context.raw(
          `POST /api/functions/${id}/invoke\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked`,
          `0\r\n\r\n${smuggled}`,
          { until: (text) => (text.match(/HTTP\/1\.1/g)?.length ?? 0) > 1, timeoutMs: 2000 },
        );
        checkRefusedRaw(reply);
        const isSmuggled = reply.statuses.length > 1 && reply.statuses[1] === 200;
        check(!isSmuggled, 'one refusal', `a reply to the smuggled request: ${reply.statuses.join(', ')}`);
      },
    },
    {
      id: 'http-14',
      cites: 'HTP-4',
      title: 'two different Content-Lengths are refused',
      async run(context) {
        const id = await context.shared(ECHO);
        const head = `POST /api/functions/${id}/invoke\r\nContent-Type: application/json`;
        checkRefusedRaw(
          await context.raw(`${head}\r\nContent-Length: ${CALL.length}\r\nContent-Length: 3`, CALL),
        );
      },
    },
    ...['-1', '0x10', '1e3', '9 9', '+5'].map((length, index) => ({
      id: `http-${15 + index}`,
      cites: 'HTP-4',
      title: `Content-Length: ${length} is refused`,
      async run(context: CaseContext) {
        const id = await context.shared(ECHO);
        checkRefusedRaw(
          await context.raw(
            `POST /api/functions/${id}/invoke\r\nContent-Type: application/json\r\nContent-Length: ${length}`,
            CALL,
          ),
        );
      },
    })),
    ...(
      [
        ['a request line of noise', 'not http at all\r\n\r\n'],
        ['a version that does not exist', 'GET /api HTTP/9.9\r\nHost: HOST\r\n\r\n'],
        ['a header without a colon', 'GET /api HTTP/1.1\r\nHost: HOST\r\nnocolon\r\n\r\n'],
        ['a NUL in a header', 'GET /api HTTP/1.1\r\nHost: HOST\r\nX-A: a\0b\r\n\r\n'],
      ] as const
    ).map(([what, bytes], index) => ({
      id: `http-${20 + index}`,
      cites: 'HTP-5',
      title: `${what} is refused and the platform goes on`,
      async run(context: CaseContext) {
        checkRefusedRaw(await sendRaw(context.base, bytes.replace('HOST', context.base.host)));
        checkStatus(await context.send('GET', `/api/functions/${await context.shared(ECHO)}`), 200);
      },
    })),
    {
      id: 'http-24',
      cites: 'HTP-6',
      title: 'a head of 2 MiB is refused and the platform goes on',
      async run(context) {
        const id = await context.shared(ECHO);
        const padding = Array.from({ length: 64 }, (_, n) => `X-P${n}: ${'p'.repeat(32 * 1024)}`).join(
          '\r\n',
        );
        checkRefusedRaw(await context.raw(`GET /api/functions/${id}\r\n${padding}`), 400, 413, 414, 431);
        checkStatus(await context.send('GET', `/api/functions/${id}`), 200);
      },
    },
    {
      id: 'http-25',
      cites: 'HTP-7',
      title: 'a chunked body is accepted',
      async run(context) {
        const id = await context.shared(ECHO);
        const reply = await context.raw(
          `POST /api/functions/${id}/invoke\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked`,
          `${CALL.length.toString(16)}\r\n${CALL}\r\n0\r\n\r\n`,
        );
        check(reply.statuses[0] === 200, '200', reply.text);
      },
    },
    {
      id: 'http-26',
      cites: 'HTP-8',
      title: 'Expect: 100-continue is answered without the body',
      async run(context) {
        const id = await context.shared(ECHO);
        const reply = await context.raw(
          `POST /api/functions/${id}/invoke\r\nContent-Type: application/json\r\nContent-Length: ${CALL.length}\r\nExpect: 100-continue`,
        );
        check(reply.statuses.length > 0, '100 Continue or a final status', reply.text || 'silence for 10 s');
      },
    },
    {
      id: 'http-27',
      cites: 'HTP-9',
      title: 'Application/JSON; charset=utf-8 is application/json',
      async run(context) {
        const id = await context.shared(ECHO);
        const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
        checkStatus(await context.send('POST', `/api/functions/${id}/invoke`, { headers, body: CALL }), 200);
      },
    },
    {
      id: 'http-28',
      cites: 'HTP-10',
      title: 'unknown headers and query parameters are ignored',
      async run(context) {
        const id = await context.shared(ECHO);
        const headers = { ...JSON_TYPE, 'x-something-else': encodeConfig({ a: 1 }) };
        checkStatus(
          await context.send('POST', `/api/functions/${id}/invoke?something=else`, { headers, body: CALL }),
          200,
        );
        checkStatus(await context.send('GET', `/api/functions/${id}?something=else`), 200);
      },
    },
    {
      id: 'http-29',
      cites: 'HTP-11',
      title: 'two requests on one connection get two replies in order',
      async run(context) {
        const id = await context.shared(ECHO);
        const first = context.rawRequest(`GET /api/functions/${id}`);
        const second = context.rawRequest(`GET /api/functions/${context.name()}\r\nConnection: close`);
        const reply = await sendRaw(context.base, first + second, { until: () => false });
        const seen = reply.statuses.join(', ');
        if (seen !== '200, 404' && !(seen === '200' && /connection: close/i.test(reply.text)))
          throw new Mismatch('200, 404', seen || 'silence');
      },
    },
    {
      id: 'http-30',
      cites: 'SEC-3',
      title: 'a foreign Host header is refused where no key is demanded',
      needs: ['no-key'],
      async run(context) {
        const id = await context.shared(ECHO);
        for (const host of [
          'attacker.example',
          `attacker.example:${context.base.port}`,
          '127.0.0.1.attacker.example',
        ]) {
          const reply = await context.raw(`GET /api/functions/${id}\r\nHost: ${host}`);
          check([400, 403, 421].includes(reply.statuses[0] ?? 0), '400, 403 or 421', reply.text);
        }
      },
    },
    {
      id: 'http-31',
      cites: 'HTP-1',
      title: 'a body that ends before its length leaves the platform unharmed',
      async run(context) {
        const id = await context.shared(ECHO);
        const head = `POST /api/functions/${id}/invoke\r\nContent-Type: application/json\r\nContent-Length: 5000`;
        const before = await context.invocations(id);
        await context.raw(head, CALL, { until: () => false, timeoutMs: 200 });
        const after = await context.send('GET', `/api/functions/${id}/health`);
        checkStatus(after, 200);
        check(after.json()['total_invocations'] === before, `still ${before} calls`, describeReply(after));
      },
    },
  ],
};
