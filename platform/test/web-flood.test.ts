import { expect, it } from 'vitest';
import { e2eClient } from './support/e2e.js';
import { testPlatform } from './support/platform.js';

const MIB = 1024 * 1024;
const FLOOD_MS = 2000;

// Prints as fast as it is read, on the stream it is asked for, and answers how much that was.
const CODE = `
const { writeSync } = require('node:fs');
const chunk = Buffer.alloc(64 * 1024, 'x'.repeat(63) + '\\n');
module.exports = async (event) => {
  const until = Date.now() + ${FLOOD_MS};
  let printed = 0;
  while (Date.now() < until) {
    try {
      printed += writeSync(Number(event.query.fd), chunk);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
  return printed;
};`;

it.each([1, 2])('an instance that floods fd %s is read at 8 MiB a second', async (fd) => {
  await using server = await testPlatform();
  const e2e = e2eClient(server);
  await e2e.create({ name: 'flood', code_inline: CODE, config: { timeout_seconds: 30 } });
  const reply = await e2e.ask('flood', { path: `?fd=${fd}` });
  expect(reply.status).toBe(200);
  const printed = Number(reply.text);
  expect(printed).toBeGreaterThan(4 * MIB);
  // A second's worth at once, two seconds at the rate, and room for pipes and a busy machine.
  expect(printed).toBeLessThan(48 * MIB);
});
