/** Requests that were good once: bytes flipped, cut, doubled, moved, and spiced with what parsers have stumbled over. */

import { expect } from 'vitest';

import { echo } from './bootstraps.js';
import { randomFrom } from './crashes.js';
import { testPlatform } from './platform.js';
import { sendRaw } from './raw-http.js';

const JSON_CALL = '{"job_id":1,"args":[1,2,3]}';
const head = (line: string, ...headers: string[]): string =>
  `${line} HTTP/1.1\r\n${['Host: localhost', ...headers].join('\r\n')}\r\n\r\n`;

/** None of them starts a process: 100,000 of those would test something else. */
const SEEDS: readonly string[] = [
  head('GET /api'),
  head('GET /api/functions?limit=10&after=a'),
  head('HEAD /api/functions/canary'),
  head('GET /api/invocations?status=pending&limit=5'),
  head('GET /api/functions/canary/logs?tail=5&since=2026-01-01T00:00:00Z'),
  head('DELETE /api/functions/nobody', 'If-Match: "abc"'),
  `${head('POST /api/functions/nobody/invoke', 'Content-Type: application/json', `Content-Length: ${JSON_CALL.length}`, 'X-Faas-Call-Id: a', 'X-Faas-Attempt: 2', 'Prefer: respond-async')}${JSON_CALL}`,
  `${head('POST /job/99', 'Content-Type: application/octet-stream', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
  `${head('PUT /api/functions/junk', 'Content-Type: application/zip', 'Content-Length: 4', 'If-None-Match: *')}PK\x03\x04`,
  `${head('PUT /api/functions/junk', 'Content-Type: application/zip', 'X-Blueprint-Config: e30=', 'Expect: 100-continue', 'Content-Length: 4')}PK\x05\x06`,
];

const SPICES: readonly string[] = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ': ',
  '\r\n ',
  '%00',
  '%2e%2e%2f',
  '../',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity, chunked\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: -1\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Host: evil.example\r\n',
  'Expect: 100-continue\r\n',
  'Connection: close\r\n',
  'Upgrade: h2c\r\n',
  'HTTP/1.0',
  'HTTP/9.9',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'ffffffffffffffff\r\n',
  'ä\u{1f600}',
  'x'.repeat(20_000),
  head('DELETE /api/functions/canary').slice(0, 20),
];

/**
 * Sends mutated requests and expects of each an answer without a 5xx of ours, or a closed connection; of the platform
 * that it goes on as if nothing had happened.
 */
export async function expectToStandMutations(count: number, seed: number): Promise<void> {
  await using server = await testPlatform();
  await server.deploy('canary', echo);
  const random = randomFrom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const mutate = (): Buffer => {
    let bytes: Buffer = Buffer.from(pick(SEEDS), 'latin1');
    for (let step = 1 + Math.floor(random() * 4); step > 0; step--) bytes = mutated(bytes, random, pick);
    return bytes;
  };
  const seen = new Map<string, number>();
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const bytes = mutate();
      const { statuses } = await sendRaw(server.platform.port, bytes);
      const bad = statuses.filter((status) => status >= 500 && status !== 501 && status !== 503);
      if (bad.length > 0) throw new Error(`${bad} for ${JSON.stringify(bytes.toString('latin1'))}`);
      const answer = statuses.length === 0 ? 'closed' : String(statuses[0]);
      seen.set(answer, (seen.get(answer) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
  expect((await server.invoke('canary', [7])).body.result).toEqual([7]);
  // The mutations did reach all stages, or this test would prove little.
  for (const answer of ['200', '400', '404', 'closed'])
    expect([answer, (seen.get(answer) ?? 0) > 0]).toEqual([answer, true]);
  console.log(`${count} mutated requests: ${JSON.stringify(Object.fromEntries([...seen].toSorted()))}`);
}

function mutated(bytes: Buffer, random: () => number, pick: <T>(list: readonly T[]) => T): Buffer {
  const at = Math.floor(random() * bytes.length);
  const to = Math.min(bytes.length, at + Math.floor(random() * 20));
  switch (Math.floor(random() * 6)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      return flipped;
    }
    case 1:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(SPICES), 'latin1'), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
    case 4:
      return bytes.subarray(0, at);
    default:
      // A line of another request, as smuggling would have it.
      return Buffer.concat([bytes, Buffer.from(pick(SEEDS), 'latin1')]);
  }
}
