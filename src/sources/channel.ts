/** A producer that other code pushes into. */
import { FaasError } from '../core/errors.js';
import { stoppable } from './stoppable.js';

/** What `channel()` returns: a source for one runner. Items wait in memory, as many as are pushed without awaiting. */
export interface Channel<Item> extends AsyncIterable<Item> {
  /**
   * Resolves when a runner has taken the item; await it to feel the runner's back-pressure. Before a runner reads the
   * channel it waits for one.
   * @throws {FaasError} CONFIG after `end()`, UNAVAILABLE when the runner stopped before it took the item
   */
  push(item: Item): Promise<void>;
  /** No more items: the runner finishes what is there. Calling it twice is fine. */
  end(): void;
}

interface Pushed<Item> {
  readonly item: Item;
  readonly taken: PromiseWithResolvers<void>;
  next: Pushed<Item> | undefined;
}

/** `const inbox = channel<ProducerItem>(); builder.producer(inbox); await inbox.push(square.call(7));` */
export function channel<Item>(): Channel<Item> {
  // Linked, since taking the first of a long array moves all the others.
  let first: Pushed<Item> | undefined;
  let last: Pushed<Item> | undefined;
  let wake: (() => void) | undefined;
  let state: 'open' | 'ended' | 'stopped' = 'open';

  const take = (): Pushed<Item> | undefined => {
    const taken = first;
    first = first?.next;
    if (first === undefined) last = undefined;
    return taken;
  };
  const stop = () => {
    if (state === 'open') state = 'stopped';
    for (let left = take(); left !== undefined; left = take()) {
      left.taken.reject(refused('UNAVAILABLE', 'The runner stopped before it took this item.'));
    }
    wake?.();
  };
  async function* items(): AsyncGenerator<Item> {
    try {
      while (true) {
        const next = take();
        if (next !== undefined) {
          next.taken.resolve();
          yield next.item;
        } else if (state !== 'open') return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      stop();
    }
  }

  return {
    push(item) {
      if (state === 'ended') {
        return Promise.reject(refused('CONFIG', 'This channel has ended; it takes no more items.'));
      }
      if (state === 'stopped') {
        return Promise.reject(refused('UNAVAILABLE', 'The runner that read this channel has stopped.'));
      }
      const pushed: Pushed<Item> = { item, taken: Promise.withResolvers<void>(), next: undefined };
      if (last === undefined) first = pushed;
      else last.next = pushed;
      last = pushed;
      wake?.();
      return pushed.taken.promise;
    },
    end() {
      if (state === 'open') state = 'ended';
      wake?.();
    },
    [Symbol.asyncIterator]: () => stoppable(items(), stop),
  };
}

function refused(code: 'CONFIG' | 'UNAVAILABLE', message: string): FaasError {
  return new FaasError({ code, executed: 'no', message });
}
