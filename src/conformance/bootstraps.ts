/** The functions of the suite: POSIX shell with coreutils, so that they run wherever `bootstrap` can be a script. */

/** `reply` turns what comes on its stdin into the result. */
const REPLY = `#!/bin/sh
reply() {
  bytes=$(od -An -v -tu1 | tr -s ' \\n' ',')
  bytes=\${bytes#,}
  printf '{"result":[%s]}' "\${bytes%,}"
}
`;

const READ_ALL = 'cat >/dev/null\n';

function script(body: string): string {
  return `${REPLY}${body}\n`;
}

/** Gives the arguments back. They are the only array of the request. */
export const ECHO = script(
  `args=$(tr -d '\\n\\r' | cut -d '[' -f 2 | cut -d ']' -f 1)\nprintf '{"result":[%s]}' "$args"`,
);

/** Gives back everything that stood on stdin. */
export const RECEIVED = script('reply');

/** Gives back its environment, one variable a line. */
export const ENVIRONMENT = script(`${READ_ALL}env | reply`);

/** Gives back eight random bytes: two runs never look the same. */
export const RANDOM = script(`${READ_ALL}head -c 8 /dev/urandom | reply`);

/** Gives back the text, and nothing else tells two versions apart. */
export function answering(text: string): string {
  return script(`${READ_ALL}printf %s ${quote(text)} | reply`);
}

/** Prints exactly this on stdout, this on stderr, and exits. */
export function printing(stdout: string, { stderr = '', exitCode = 0 } = {}): string {
  return script(
    `${READ_ALL}printf %s ${quote(stdout)}\nprintf %s ${quote(stderr)} >&2\nexit ${String(exitCode)}`,
  );
}

/** Any shell commands after the input was read. */
export function running(commands: string): string {
  return script(`${READ_ALL}${commands}`);
}

/** Any shell commands; the input is left to them. */
export function commands(text: string): string {
  return script(text);
}

/** Sleeps, then answers with `text`. */
export function sleeping(secs: number, text = 'awake'): string {
  return script(`${READ_ALL}sleep ${String(secs)}\nprintf %s ${quote(text)} | reply`);
}

/** Says when it began and ended, in nanoseconds. */
export function timed(secs: number): string {
  return script(
    `${READ_ALL}began=$(date +%s%N)\nsleep ${String(secs)}\nprintf '%s %s' "$began" "$(date +%s%N)" | reply`,
  );
}

/** Answers with `1` when a process with `mark` on its command line can be seen, else with `0`. */
export function looking(mark: string): string {
  return script(
    `${READ_ALL}case $(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ') in *${quote(mark)}*) seen=1 ;; *) seen=0 ;; esac\nprintf '{"result":[%s]}' "$seen"`,
  );
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
