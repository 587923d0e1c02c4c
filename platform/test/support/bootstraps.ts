/** Functions the tests deploy: the smallest scripts that show one behaviour each. */

/** Runs JavaScript with `input` (the request), `reply(bytes, more)` and `fs` at hand. */
export function node(body: string): string {
  return `#!/usr/bin/env node
const fs = require('node:fs');
const input = JSON.parse(fs.readFileSync(0, 'utf8'));
const reply = (result, more = {}) => fs.writeSync(1, JSON.stringify({ result, ...more }));
${body}
`;
}

/** A shell script; it does not read its input unless it says so. */
export function sh(body: string): string {
  return `#!/bin/sh\n${body}\n`;
}

/** Answers with fixed bytes. */
export function answer(...bytes: number[]): string {
  return sh(`cat > /dev/null; printf '{"result":[${bytes.join(',')}]}'`);
}

export const echo = node('reply(input.args);');

/** The text a function answered with. */
export function textOf(bytes: number[]): string {
  return Buffer.from(bytes).toString('utf8');
}
