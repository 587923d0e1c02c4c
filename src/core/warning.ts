/** How the library speaks of a fault that it can hand to nobody. */

/** Something of the user's threw where its error has no taker: a warning of the process, and the work goes on. */
export function warnOf(who: string, thrown: unknown): void {
  process.emitWarning(`${who} threw: ${String(thrown)}`, {
    type: 'JobferryWarning',
    ...(thrown instanceof Error && thrown.stack !== undefined && { detail: thrown.stack }),
  });
}
