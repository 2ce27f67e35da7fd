import { setTimeout as delay } from 'node:timers/promises';

interface EventuallyOptions {
  readonly mostMs?: number;
  /** Between two looks; a look by kubectl is a process of its own. */
  readonly everyMs?: number;
}

/** Looks again and again until it is so. @throws Error with what `explain` says when it is not so in time */
export async function eventually(
  isSo: () => boolean | Promise<boolean>,
  explain: () => string | Promise<string>,
  { mostMs = 60_000, everyMs = 250 }: EventuallyOptions = {},
): Promise<void> {
  const ends = performance.now() + mostMs;
  while (!(await isSo())) {
    if (performance.now() > ends) throw new Error(`not so after ${mostMs} ms:\n${await explain()}`);
    await delay(everyMs);
  }
}
