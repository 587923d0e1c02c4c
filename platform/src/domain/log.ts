/** What the platform says about itself; the owner of the platform decides where it goes. */

export interface LogLine {
  readonly time: string;
  readonly level: 'info' | 'warn' | 'error';
  /** A short fixed name, such as `call` or `deployed`. */
  readonly event: string;
  readonly [field: string]: unknown;
}

export type Log = (level: LogLine['level'], event: string, fields?: Record<string, unknown>) => void;

/** Stamps lines with the time and keeps a failing sink from harming the platform. */
export function createLog(sink: ((line: LogLine) => void) | undefined): Log {
  if (sink === undefined) return () => {};
  return (level, event, fields = {}) => {
    try {
      sink({ ...fields, time: new Date().toISOString(), level, event });
    } catch {
      // A log that throws must not fail the call it reports.
    }
  };
}
