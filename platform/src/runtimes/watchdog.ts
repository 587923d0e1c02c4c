/**
 * Functions must not outlive a platform that was killed. One small shell waits on a pipe whose other end only the
 * platform holds; when that end closes, however the platform ended, the shell kills what still runs.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Watchdog {
  close(): Promise<void>;
}

export function startWatchdog(script: string | undefined, onFailure: (error: Error) => void): Watchdog {
  if (script === undefined) return { async close() {} };
  const shell: ChildProcess = spawn('/bin/sh', ['-c', `read -r _\n${script}`, 'jobferry-watchdog'], {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    // A session of its own: Ctrl-C in the platform's terminal must not end it first.
    detached: true,
  });
  shell.on('error', onFailure);
  shell.stdin?.on('error', () => {});
  // Neither end keeps the platform's process alive.
  shell.unref();
  const pipe = shell.stdin;
  if (pipe !== null && 'unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
  return {
    async close() {
      if (shell.pid === undefined || shell.exitCode !== null || shell.signalCode !== null) return;
      shell.ref();
      const ended = once(shell, 'exit');
      shell.stdin?.end();
      await ended;
    },
  };
}

/** Text as one word of a shell command. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
