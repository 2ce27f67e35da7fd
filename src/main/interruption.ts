import { ProblemError } from '../domain/problems.ts';

/** Aborts on the first Ctrl-C or SIGTERM, so that work stops cleanly and can be continued; a second one ends the process at once. */
export function interruptionSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort(new ProblemError('Interrupted', `stopped by ${name === 'SIGINT' ? 'Ctrl-C' : name}`));
    });
  }
  return controller.signal;
}
