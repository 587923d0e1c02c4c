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

/** The head of a `case` over the request. */
const WITHOUT_ARGS = `case $(tr -d ' \\n\\r') in\n*'"args":[]'*`;

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

/** Without arguments it answers `free` at once, with any it sleeps before: one version, two kinds of calls. */
export function sleepingOnArgs(secs: number): string {
  return script(`${WITHOUT_ARGS}) ;; *) sleep ${String(secs)} ;; esac\nprintf free | reply`);
}

/** Byte 1 asks a function of `leavingBehind` to keep a marked process running for a second, byte 2 to act. */
export const HOLD = Uint8Array.of(1);
export const ACT = Uint8Array.of(2);

/**
 * Without arguments it answers with `1` when a process with the mark is there, else with `0`. A process is seen on its
 * command line, or where calls have process ids of their own by the lock that it holds on the one file all calls share.
 * @param act may use `$hold`, which puts that lock around a command
 */
export function leavingBehind(mark: string, act: string): string {
  return script(
    `if command -v flock >/dev/null; then hold='flock -s ./bootstrap'; else hold=; fi
${WITHOUT_ARGS})
  case $(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ') in *${quote(mark)}*) seen=1 ;; *) seen=0 ;; esac
  if [ "$hold" ]; then flock -n ./bootstrap true; [ $? -ne 1 ] || seen=1; fi
  printf '{"result":[%s]}' "$seen" ;;
*'"args":[1]'*) $hold sleep 1${mark}; printf held | reply ;;
*) ${act} ;;
esac`,
  );
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
