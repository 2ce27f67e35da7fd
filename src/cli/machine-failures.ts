/** Several machines of one command failed, each in its own way. */
export class MachineFailures extends Error {
  readonly failures: readonly { readonly name: string; readonly error: unknown }[];

  constructor(failures: MachineFailures['failures']) {
    super(`${failures.length} machines failed`);
    this.failures = failures;
  }
}
