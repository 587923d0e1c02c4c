/** A producer that other code pushes into. */
import { FaasError } from '../core/errors.js';

export interface Channel<Item> extends AsyncIterable<Item> {
  /**
   * Resolves when a runner has taken the item; await it to feel the runner's back-pressure.
   * @throws {FaasError} CONFIG after `end()`, UNAVAILABLE when the runner stopped before it took the item
   */
  push(item: Item): Promise<void>;
  /** No more items: the runner finishes what is there. Calling it twice is fine. */
  end(): void;
}

/** `const inbox = channel<ProducerItem>(); builder.producer(inbox); await inbox.push(square.call(7));` */
export function channel<Item>(): Channel<Item> {
  const pushed: { item: Item; taken: PromiseWithResolvers<void> }[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  let closed = false;

  async function* items(): AsyncGenerator<Item> {
    try {
      while (true) {
        const next = pushed.shift();
        if (next !== undefined) {
          next.taken.resolve();
          yield next.item;
        } else if (ended) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      close();
    }
  }

  const close = () => {
    closed = true;
    for (const { taken } of pushed.splice(0)) {
      taken.reject(refused('UNAVAILABLE', 'The runner stopped before it took this item.'));
    }
  };

  return {
    push(item) {
      if (ended) return Promise.reject(refused('CONFIG', 'This channel has ended; it takes no more items.'));
      if (closed)
        return Promise.reject(refused('UNAVAILABLE', 'The runner that read this channel has stopped.'));
      const taken = Promise.withResolvers<void>();
      pushed.push({ item, taken });
      wake?.();
      return taken.promise;
    },
    end() {
      ended = true;
      wake?.();
    },
    [Symbol.asyncIterator]() {
      const iterator = items();
      // An async generator that waits answers return() only afterwards: wake it, so that a stopping runner is heard.
      return Object.assign(Object.create(iterator) as AsyncGenerator<Item>, {
        next: () => iterator.next(),
        return: (value: unknown) => {
          ended = true;
          close();
          wake?.();
          return iterator.return(value);
        },
      });
    },
  };
}

function refused(code: 'CONFIG' | 'UNAVAILABLE', message: string): FaasError {
  return new FaasError({ code, executed: 'no', message });
}
