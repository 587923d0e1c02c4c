/** What is wrong with a file, and the words for it: a value as it was written, the field that was meant. */

export interface Fault {
  /** Keys from the top of the file to the field. */
  readonly path: readonly string[];
  readonly message: string;
  readonly fix: string;
  /** A warning does not keep a file from being used. Default `error`. */
  readonly severity?: 'error' | 'warning';
}

/** Short, and never a whole inline program. */
export function quoted(value: unknown): string {
  const text = jsonOf(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** Undefined where there is no JSON: of what refers to itself, for example. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** A known field that differs by a slip of the fingers. */
export function nearest(field: string, known: readonly string[]): string | undefined {
  const simple = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
  return (
    known.find((name) => simple(name) === simple(field)) ??
    known.find((name) => distance(simple(name), simple(field)) <= 2)
  );
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(same, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
