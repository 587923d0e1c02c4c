// A platform in a process of its own, with as much resident memory as it is told. On its stdin: `lap` answers with
// the longest time in ms its event loop stood still since the lap before; `spawn FILE` runs FILE by a spawn of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startPlatform } from '@jobferry/platform';

const { options, ballastMb } = JSON.parse(process.argv[2] ?? '');
const ballast = Array.from({ length: ballastMb / 10 }, () => Buffer.alloc(10 << 20, 1));
const platform = await startPlatform(options);
console.log(platform.url);

let longestMs = 0;
let lastAt = performance.now();
let laps = false;
function tick() {
  const now = performance.now();
  longestMs = Math.max(longestMs, now - lastAt);
  lastAt = now;
  if (laps) setImmediate(tick);
}

for await (const line of createInterface({ input: process.stdin })) {
  const [word, file] = line.split(' ');
  if (word === 'spawn') {
    const child = spawn(file, { env: { PATH: process.env.PATH }, stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdout.resume();
    child.stdin.end('{"job_id":0,"args":[]}');
    await once(child, 'close');
    console.log('done');
    continue;
  }
  if (!laps) {
    laps = true;
    tick();
  }
  console.log(longestMs);
  longestMs = 0;
  lastAt = performance.now();
}
await platform.close();
process.exit(ballast.length < 0 ? 1 : 0);
