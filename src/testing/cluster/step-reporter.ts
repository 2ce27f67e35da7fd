/** Does one step and passes on its result, after telling how long it took. */
export type StepReporter = <T>(step: string, perform: () => Promise<T>) => Promise<T>;

export function reportStepsTo(onStep: (step: string, durationMs: number) => void): StepReporter {
  return async (step, perform) => {
    const started = performance.now();
    const result = await perform();
    onStep(step, performance.now() - started);
    return result;
  };
}
