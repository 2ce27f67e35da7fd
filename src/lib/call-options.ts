/** Options of everything that waits. An aborted call throws the signal's reason and leaves nothing open. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}
