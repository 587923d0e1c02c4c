/**
 * One timer for many deadlines. Calls with the same time-out share a list in order of expiry, so arming and
 * disarming is O(1) and cheap enough for a million calls a second, where one setTimeout per call is not.
 */

interface ExpiryList {
  readonly timeoutMs: number;
  head: Expiring | null;
  tail: Expiring | null;
  timer: NodeJS.Timeout | null;
}

const lists = new Map<number, ExpiryList>();
/** Lists without an entry. They stay for a while: a job has the same time-out for all its calls. */
let emptyLists = 0;
/** So many may stay, beside one for each that is in use: deadlines that calls bring along are all different. */
const MAX_EMPTY_LISTS = 64;
// setTimeout counts in a signed 32-bit integer and fires at once beyond it.
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Something that expires. The lists link such objects through themselves: no allocation per call. */
export abstract class Expiring {
  // Not #private: four such fields would cost each call some percent.
  private expiryList: ExpiryList | null = null;
  private expiryNext: Expiring | null = null;
  private expiryPrevious: Expiring | null = null;
  private expiresAtMs = 0;

  /** Called once, when the time is up. */
  protected abstract onDeadline(): void;

  /**
   * The time is up `timeoutMs` from now, unless `disarm` comes before; never for `Infinity`.
   * @param nowMs a `performance.now()` the caller has at hand: the clock must not jump
   */
  arm(timeoutMs: number, nowMs: number = performance.now()): void {
    if (timeoutMs === Infinity) return;
    const list = listOf(Math.max(1, Math.ceil(timeoutMs)));
    this.expiresAtMs = nowMs + list.timeoutMs;
    this.expiryList = list;
    this.expiryPrevious = list.tail;
    if (list.tail === null) {
      emptyLists -= 1;
      list.head = this;
      list.timer?.ref();
    } else list.tail.expiryNext = this;
    list.tail = this;
    if (list.timer === null) Expiring.#wake(list, list.timeoutMs);
  }

  /** Forgets the deadline; fine when it has passed or there never was one. */
  disarm(): void {
    const list = this.expiryList;
    if (list === null) return;
    const previous = this.expiryPrevious;
    const next = this.expiryNext;
    if (previous === null) list.head = next;
    else previous.expiryNext = next;
    if (next === null) list.tail = previous;
    else next.expiryPrevious = previous;
    this.expiryList = this.expiryNext = this.expiryPrevious = null;
    if (list.head !== null) return;
    // Still armed, so that a busy list is not made anew each time; unreferenced, so that an idle process ends.
    list.timer?.unref();
    emptyLists += 1;
    if (emptyLists > MAX_EMPTY_LISTS + lists.size / 2) forgetEmptyLists();
  }

  static #wake(list: ExpiryList, delayMs: number): void {
    list.timer = setTimeout(Expiring.#expire, Math.min(Math.max(1, Math.ceil(delayMs)), MAX_TIMER_MS), list);
  }

  static #expire(list: ExpiryList): void {
    const nowMs = performance.now();
    try {
      // Its timer stands until all are through: a deadline that is armed meanwhile must not set one for itself alone.
      while (list.head !== null && list.head.expiresAtMs <= nowMs) {
        const first = list.head;
        first.disarm();
        first.onDeadline();
      }
    } finally {
      // Whatever one deadline did, the others are kept.
      list.timer = null;
      if (list.head === null) forget(list);
      else Expiring.#wake(list, list.head.expiresAtMs - nowMs);
    }
  }
}

function listOf(timeoutMs: number): ExpiryList {
  let list = lists.get(timeoutMs);
  if (list === undefined) {
    list = { timeoutMs, head: null, tail: null, timer: null };
    lists.set(timeoutMs, list);
    emptyLists += 1;
  }
  return list;
}

function forgetEmptyLists(): void {
  for (const list of lists.values()) if (list.head === null) forget(list);
}

function forget(list: ExpiryList): void {
  // It may have been forgotten, and followed by another for the same time-out, while it expired.
  if (lists.get(list.timeoutMs) !== list) return;
  lists.delete(list.timeoutMs);
  emptyLists -= 1;
  if (list.timer !== null) clearUnreferenced(list.timer);
}

/** Clears a timer that may be unreferenced: of such ones Node keeps a record, for each duration, until they are due. */
export function clearUnreferenced(timer: NodeJS.Timeout): void {
  clearTimeout(timer.ref());
}
