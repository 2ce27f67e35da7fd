/**
 * Pulls from `items` ahead of the consumer, at most `budgetBytes` beyond what was taken (a single larger item is let through). Order is kept, a failure arrives in its
 * turn, and stopping early closes `items`.
 */
export async function* readAhead<T>(
  items: AsyncIterable<T>,
  options: { readonly budgetBytes: number; readonly sizeOf: (item: T) => number },
): AsyncGenerator<T, void> {
  const iterator = items[Symbol.asyncIterator]();
  const ready: T[] = [];
  let readyBytes = 0;
  let isDone = false;
  let failure: { readonly error: unknown } | undefined;
  let isStopped = false;
  let wakeProducer = () => {};
  let wakeConsumer = () => {};

  const producer = (async () => {
    try {
      while (!isStopped) {
        const next = await iterator.next();
        if (next.done) break;
        ready.push(next.value);
        readyBytes += options.sizeOf(next.value);
        wakeConsumer();
        while (!isStopped && readyBytes >= options.budgetBytes)
          await new Promise<void>((wake) => (wakeProducer = wake));
      }
    } catch (error) {
      failure = { error };
    }
    isDone = true;
    wakeConsumer();
  })();

  try {
    while (true) {
      while (ready.length === 0 && !isDone) await new Promise<void>((wake) => (wakeConsumer = wake));
      const item = ready.shift();
      if (item === undefined) {
        if (failure) throw failure.error;
        return;
      }
      readyBytes -= options.sizeOf(item);
      wakeProducer();
      yield item;
    }
  } finally {
    isStopped = true;
    wakeProducer();
    // The producer may be inside next(); a generator runs its own clean-up only between two of those.
    await producer;
    await iterator.return?.();
  }
}
