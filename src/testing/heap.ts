import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The bytes of JavaScript objects that are in use, after everything else was collected. */
export function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  // The flag works for contexts made from now on.
  const collectGarbage = runInNewContext('gc') as () => void;
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
