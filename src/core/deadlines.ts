/**
 * One timer for many deadlines. Calls with the same time-out share a list in order of expiry, so adding and
 * removing is O(1) and cheap enough for a million calls a second, where one setTimeout per call is not.
 */

/** Something that expires. The list links entries through themselves: no allocation per call. */
export interface Expiring {
  onDeadline(): void;
  /** Owned by the list: null while not in one. */
  expiryList: ExpiryList | null;
  expiryNext: Expiring | null;
  expiryPrevious: Expiring | null;
  expiresAt: number;
}

interface ExpiryList {
  readonly timeoutMs: number;
  head: Expiring | null;
  tail: Expiring | null;
  timer: NodeJS.Timeout | null;
}

const lists = new Map<number, ExpiryList>();
// setTimeout counts in a signed 32-bit integer and fires at once beyond it.
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `entry.onDeadline()` once, `timeoutMs` from now unless it is removed before.
 * @param nowMs a `performance.now()` the caller has at hand: the clock must not jump.
 */
export function addDeadline(entry: Expiring, timeoutMs: number, nowMs: number = performance.now()): void {
  if (timeoutMs === Infinity) return;
  const wholeMs = Math.max(1, Math.ceil(timeoutMs));
  let list = lists.get(wholeMs);
  if (list === undefined) {
    list = { timeoutMs: wholeMs, head: null, tail: null, timer: null };
    lists.set(wholeMs, list);
  }
  entry.expiresAt = nowMs + wholeMs;
  entry.expiryList = list;
  entry.expiryPrevious = list.tail;
  if (list.tail === null) {
    list.head = entry;
    list.timer?.ref();
  } else list.tail.expiryNext = entry;
  list.tail = entry;
  if (list.timer === null) arm(list, wholeMs);
}

/** Forgets an entry; fine when it has expired or was never added. */
export function removeDeadline(entry: Expiring): void {
  const list = entry.expiryList;
  if (list === null) return;
  const { expiryPrevious: previous, expiryNext: next } = entry;
  if (previous === null) list.head = next;
  else previous.expiryNext = next;
  if (next === null) list.tail = previous;
  else next.expiryPrevious = previous;
  entry.expiryList = entry.expiryNext = entry.expiryPrevious = null;
  if (list.head === null && list.timer !== null) {
    // Still armed, so that a busy list is not made anew each time; unreferenced, so that an idle process ends.
    list.timer.unref();
  }
}

function arm(list: ExpiryList, delayMs: number): void {
  list.timer = setTimeout(expire, Math.min(Math.max(1, Math.ceil(delayMs)), MAX_TIMER_MS), list);
}

function expire(list: ExpiryList): void {
  list.timer = null;
  const nowMs = performance.now();
  while (list.head !== null && list.head.expiresAt <= nowMs) {
    const entry = list.head;
    removeDeadline(entry);
    entry.onDeadline();
  }
  // onDeadline may have added entries and armed the list again.
  if (list.timer !== null) return;
  if (list.head === null) lists.delete(list.timeoutMs);
  else arm(list, list.head.expiresAt - nowMs);
}
