/** A mistake in how a command was called; ends with exit code 2. */
export class UsageError extends Error {}
