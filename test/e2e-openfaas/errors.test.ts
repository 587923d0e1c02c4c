/** The error tables, row by row. */
import { expect, it } from 'vitest';
import { callError, controlError, saidIn } from '../../src/executors/e2e-openfaas/errors.js';
import type { HttpReply } from '../../src/executors/shared/http.js';

const place = { provider: 'e2e-openfaas', functionName: 'f', origin: 'http://gateway' };
const reply = (status: number, body = '', headers: HttpReply['headers'] = {}): HttpReply => ({
  status,
  body: Buffer.from(body),
  headers,
});
const watchdog = { 'x-openfaas-internal': 'of-watchdog' };
const ran = { 'x-duration-seconds': '0.1', 'content-type': 'text/plain' };

it.each([
  [400, 'INVALID_REQUEST'],
  [401, 'AUTH'],
  [403, 'AUTH'],
  [404, 'NOT_FOUND'],
  [405, 'UNSUPPORTED'],
  [408, 'UNAVAILABLE'],
  [409, 'CONFLICT'],
  [413, 'PAYLOAD_TOO_LARGE'],
  [418, 'INVALID_REQUEST'],
  [422, 'INVALID_REQUEST'],
  [429, 'THROTTLED'],
  [500, 'UNAVAILABLE'],
  [501, 'UNSUPPORTED'],
  [502, 'UNAVAILABLE'],
  [503, 'UNAVAILABLE'],
  [302, 'PROTOCOL'],
  [204, 'PROTOCOL'],
])('control plane: %i is %s, and no function ran: origin-defects 0.12', (status, code) => {
  const error = controlError(reply(status, 'why\n', { 'retry-after': '7' }), place, (text) => text);
  expect(error).toMatchObject({ code, status, executed: 'no', functionName: 'f', retryAfterMs: 7000 });
  expect(error.message).toContain(`HTTP ${status}: why)`);
});

it.each([
  ['unable create Deployment: deployments.apps "f" already exists', 'CONFLICT'],
  ['unable to lookup function deployment f', 'NOT_FOUND'],
  ['deployments.apps "f" not found', 'NOT_FOUND'],
])('control plane: 500 with the text %s is %s', (text, code) => {
  expect(controlError(reply(500, text), place, (said) => said)).toMatchObject({ code });
});

it.each([
  ['plain words\n', 'plain words\n'],
  ['{"error":"a"}', 'a'],
  ['{"code":400,"message":"b","data":null}', 'b'],
  ['{"error":{"code":"X","message":"c"}}', 'c'],
  ['{"message":"","errors":{"name":["taken"]}}', '{"name":["taken"]}'],
  ['{"detail":"d"}', 'd'],
  ['{}', ''],
])('the words of %s are %s', (body, said) => {
  expect(saidIn(Buffer.from(body))).toBe(said);
});

const missing =
  'error finding function f.ns: server returned non-200 status code (404) for function, f, body: ';
const unreachable = 'error finding function f.ns: Get "http://x": dial tcp: connection refused';

it.each([
  ['a missing function', reply(404, missing), 'NOT_FOUND', 'no'],
  ['a provider that is down', reply(404, unreachable), 'UNAVAILABLE', 'no'],
  ['no such path', reply(404, '404 page not found\n'), 'NOT_FOUND', 'no'],
  ['another 404', reply(404, '{ "status" : "Not found"}'), 'NOT_FOUND', 'no'],
  [
    'no endpoints',
    reply(503, 'No endpoints available for: f.', { 'x-openfaas-internal': 'proxy' }),
    'UNAVAILABLE',
    'no',
  ],
  [
    'max_inflight',
    reply(429, 'Concurrent request limit exceeded. Max concurrent requests: 1\n', watchdog),
    'THROTTLED',
    'no',
  ],
  ['exec_timeout', reply(504, '', watchdog), 'TIMEOUT', 'maybe'],
  ['a process that dropped the connection', reply(500, '', watchdog), 'FUNCTION_ERROR', 'maybe'],
  ['a classic watchdog that killed', reply(408, 'Killed process.\n'), 'TIMEOUT', 'yes'],
  ['a classic watchdog’s exit code', reply(500, 'exit status 1\n'), 'FUNCTION_ERROR', 'yes'],
  ['a full queue', reply(500, 'Error queuing request: x'), 'UNAVAILABLE', 'maybe'],
  ['a bare 502', reply(502), 'UNAVAILABLE', 'maybe'],
  ['a bare 504', reply(504), 'TIMEOUT', 'maybe'],
  ['a bare 503', reply(503), 'UNAVAILABLE', 'maybe'],
  ['a bare 500', reply(500), 'UNAVAILABLE', 'maybe'],
  ['401', reply(401), 'AUTH', 'no'],
  ['403', reply(403), 'AUTH', 'no'],
  ['405', reply(405), 'UNSUPPORTED', 'no'],
  ['408', reply(408), 'TIMEOUT', 'maybe'],
  ['413', reply(413), 'PAYLOAD_TOO_LARGE', 'no'],
  ['429', reply(429), 'THROTTLED', 'no'],
  ['431', reply(431), 'PAYLOAD_TOO_LARGE', 'no'],
  ['400', reply(400), 'INVALID_REQUEST', 'maybe'],
  ['302', reply(302), 'PROTOCOL', 'maybe'],
  ['an empty 200 of a gateway that could not wake it', reply(200), 'PROTOCOL', 'maybe'],
])('a call: %s', (_, seen, code, executed) => {
  expect(callError(seen, 'entry', place)).toMatchObject({ code, executed, status: seen.status });
});

it.each([
  ['its own 404 behind a watchdog', reply(404, 'no row', ran), 'FUNCTION_ERROR', 'yes'],
  ['its own 500 behind a watchdog', reply(500, 'boom', ran), 'FUNCTION_ERROR', 'yes'],
  ['a missing function', reply(404, missing), 'NOT_FOUND', 'no'],
  ['the watchdog’s time limit', reply(504, '', { ...watchdog, ...ran }), 'TIMEOUT', 'maybe'],
  ['a 404 of nobody knows whom', reply(404), 'NOT_FOUND', 'maybe'],
  ['a 401 of nobody knows whom', reply(401), 'AUTH', 'maybe'],
  ['a 429 of nobody knows whom', reply(429), 'THROTTLED', 'maybe'],
  ['a 413 of nobody knows whom', reply(413), 'PAYLOAD_TOO_LARGE', 'maybe'],
  ['a 503 of nobody knows whom', reply(503), 'UNAVAILABLE', 'maybe'],
  ['a 504 of nobody knows whom', reply(504), 'TIMEOUT', 'maybe'],
  ['a redirect', reply(302), 'PROTOCOL', 'maybe'],
  ['a 500 of nobody knows whom', reply(500), 'FUNCTION_ERROR', 'maybe'],
])('a call of a raw function: %s', (_, seen, code, executed) => {
  expect(callError(seen, 'raw', place)).toMatchObject({ code, executed });
});

it('what a function may have written is quoted from its own reply alone', () => {
  expect(callError(reply(500, 'payload bytes'), 'entry', place).message).not.toContain('payload');
  const error = callError(reply(500, 'payload bytes', ran), 'raw', place);
  expect(error.message).not.toContain('payload');
  expect(error.remote?.message).toBe('payload bytes');
  const binary = callError(reply(500, '\x00\x01', { ...ran, 'content-type': 'image/png' }), 'raw', place);
  expect(binary.remote?.message).toBe('HTTP 500');
});
