/** All processes of one instance, however they were started: what can be done to them, and who can do it. */

export interface TreeSpec {
  /** Unique over all instances of all platforms; a file name. */
  readonly id: string;
  /** The private folder of its processes: their HOME and TMPDIR. */
  readonly home: string;
  /** How many processes and threads it may have, where that can be limited. */
  readonly maxTasks: number;
}

export interface TreeUsage {
  /** Highest memory of the tree in bytes; absent when nothing measured it. */
  readonly peakMemoryBytes?: number;
  /** Did the kernel kill a process of the tree for its memory? */
  readonly outOfMemory: boolean;
}

export interface ProcessTree {
  /** Files the first process writes "0" to in order to join; none when it belongs to the tree by birth. */
  readonly joinFiles: readonly string[];
  /** Names the root once it runs. */
  adopt(pid: number): void;
  /** Sets what it may use from now on, where the kernel watches it. */
  limitMemory(bytes: number): void;
  /** What the tree uses now in bytes, for platforms whose kernel does not watch it. */
  sampleMemoryBytes(): number;
  usage(): TreeUsage;
  /** Kills every process and gives back what the tree took up. False when a process would not die in time. */
  destroy(): Promise<boolean>;
}

/** How the processes of an instance are held, apart from what a sandbox adds. */
export interface TreeIsolation {
  /** Who enforces the memory limit. `sampled`: the platform looks every 100 ms. */
  readonly memory: 'cgroup-v1' | 'cgroup-v2' | 'sampled';
  /** How the processes of a call are found. A process can leave its group, and an environment, but not its cgroup. */
  readonly processTree: 'cgroup' | 'environment-scan' | 'process-group';
}

/** What holds the functions of a platform, in force on this machine. */
export interface Isolation extends TreeIsolation {
  /** `process`: plain processes of the platform's own user; that keeps mistakes apart, not enemies. */
  readonly mode: 'sandbox' | 'process';
  /** What a function can reach: nothing, not even the platform, or all that the platform's user can. */
  readonly network: 'none' | 'host';
  /** System calls are not filtered. */
  readonly seccomp: false;
  /** Why there is no sandbox; absent where there is one. */
  readonly reason?: string;
}

export interface ProcessTrees {
  readonly isolation: TreeIsolation;
  create(spec: TreeSpec): ProcessTree;
  /** Kills what an earlier platform on the same data folder left running. */
  sweep(): Promise<void>;
  /** Shell text that does the same from outside, run when the platform dies; undefined where there is no way. */
  readonly watchdogScript: string | undefined;
  /** Gives back what all trees share. */
  close(): Promise<void>;
}

const KILL_PATIENCE_MS = 5000;

/** Kills until nobody is left. False when somebody still is after 5 s, as a process in a stuck system call. */
export async function killUntilEmpty(
  members: () => number[] | Promise<number[]>,
  kill: (pids: number[]) => void,
): Promise<boolean> {
  const giveUpAt = performance.now() + KILL_PATIENCE_MS;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 10)) {
    const pids = await members();
    if (pids.length === 0) return true;
    if (performance.now() > giveUpAt) return false;
    kill(pids);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

export function sigkill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself in the meantime.
    }
  }
}
