/** The ways in which a function's process fails, each with how the platform must tell it. */

import { node, sh } from './bootstraps.js';

const hog = node(
  'const kept = []; for (;;) { kept.push(Buffer.alloc(16 << 20, 1)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20); }',
);

/** What can go wrong with a process, how it must be told, and the details that tell it from the others. */
export const FAILURES: readonly [what: string, script: string, code: string, details: object][] = [
  [
    'exits with a code',
    sh('cat > /dev/null; echo why >&2; exit 3'),
    'FUNCTION_ERROR',
    { exit_code: 3, stderr_tail: 'why\n' },
  ],
  [
    'exits with a code after a good answer',
    sh(`cat > /dev/null; printf '{"result":[1]}'; exit 4`),
    'FUNCTION_ERROR',
    { exit_code: 4 },
  ],
  ['is ended by a signal', sh('cat > /dev/null; kill -TERM $$'), 'FUNCTION_ERROR', { signal: 'SIGTERM' }],
  ['kills itself', sh('cat > /dev/null; kill -KILL $$'), 'FUNCTION_ERROR', { signal: 'SIGKILL' }],
  ['aborts', node('process.abort();'), 'FUNCTION_ERROR', { signal: 'SIGABRT' }],
  ['throws', node('throw new TypeError("no");'), 'FUNCTION_ERROR', { exit_code: 1 }],
  [
    'reports a failure',
    node('reply(undefined, { success: false, error: "no", error_name: "E" });'),
    'FUNCTION_ERROR',
    { name: 'E', message: 'no', exit_code: 0 },
  ],
  ['uses up its descriptors', node('for (;;) fs.openSync("/dev/null");'), 'FUNCTION_ERROR', { exit_code: 1 }],
  ['prints nothing', sh('cat > /dev/null'), 'BAD_OUTPUT', { message: 'stdout is empty', exit_code: 0 }],
  [
    'prints two documents',
    sh(`cat > /dev/null; echo '{"result":[]}{"result":[]}'`),
    'BAD_OUTPUT',
    { exit_code: 0 },
  ],
  [
    'prints bytes that are no text',
    sh(`cat > /dev/null; head -c 1000 /dev/urandom`),
    'BAD_OUTPUT',
    { exit_code: 0 },
  ],
  [
    'prints without end',
    sh('cat > /dev/null; exec cat /dev/zero'),
    'OUTPUT_TOO_LARGE',
    { max_result_bytes: 100_000 },
  ],
  [
    'prints one byte too many',
    node('reply(new Array(100001).fill(1));'),
    'OUTPUT_TOO_LARGE',
    { max_result_bytes: 100_000 },
  ],
  ['sleeps', sh('cat > /dev/null; exec sleep 300'), 'TIMEOUT', { limit_ms: 1000 }],
  ['spins', sh('cat > /dev/null; while :; do :; done'), 'TIMEOUT', { limit_ms: 1000 }],
  [
    'ignores SIGTERM',
    sh('trap "" TERM INT HUP; cat > /dev/null; while :; do sleep 1; done'),
    'TIMEOUT',
    { limit_ms: 1000 },
  ],
  ['stops itself', sh('cat > /dev/null; kill -STOP $$'), 'TIMEOUT', { limit_ms: 1000 }],
  [
    'closes its pipes and lives',
    sh('cat > /dev/null; exec <&- >&- 2>&-; sleep 300'),
    'TIMEOUT',
    { limit_ms: 1000 },
  ],
  [
    'hides a child in a session of its own',
    sh('cat > /dev/null; setsid sleep 300 & sleep 300'),
    'TIMEOUT',
    { limit_ms: 1000 },
  ],
  ['uses more memory than it may', hog, 'OUT_OF_MEMORY', { memory_mb: 192 }],
  [
    'has a child that uses more memory than it may',
    hog.replace(
      'const kept',
      `if (!process.env.CHILD) {
  require('node:child_process').spawnSync(process.execPath, [__filename], { input: '{}', env: { ...process.env, CHILD: '1' } });
  process.exit(1);
}
const kept`,
    ),
    'OUT_OF_MEMORY',
    { memory_mb: 192 },
  ],
];
