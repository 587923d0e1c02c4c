/**
 * A generator whose `return` is heard while it waits. An async generator that awaits something answers `return` only
 * after that, so a stopping runner would wait with it: `onReturn` must end the wait.
 */
export function stoppable<Item>(generator: AsyncGenerator<Item>, onReturn: () => void): AsyncGenerator<Item> {
  return {
    next: () => generator.next(),
    throw: (error: unknown) => generator.throw(error),
    return: (value: unknown) => {
      onReturn();
      return generator.return(value);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return(undefined);
    },
  };
}
