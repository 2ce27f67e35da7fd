import type { CallOptions } from '../lib/call-options.ts';

/**
 * Passes the bytes of a source on to somebody who must not know the account they take (ruling 17). It asks for what one transfer may read and for nothing else that the account
 * could reach. Disposing it closes its connections.
 */
export interface SourceRelay extends AsyncDisposable {
  /** Of the source's own file; what lies beside it is asked for relative to that. */
  readonly path: string;
  /** The source as the user would write it, without secrets. */
  readonly location: string;
  /**
   * Status, headers and body of the source's own answer: 200, 206 or 416. Nothing is read ahead of whoever takes the body.
   * @throws ProblemError the problems of the source; `SourceForbidden` for a path that is none of this transfer's
   */
  get(path: string, conditions: RelayConditions, options?: CallOptions): Promise<RelayAnswer>;
}

/** Request headers that matter to ranges (RFC 9110 13 and 14), as the reader gave them. */
export interface RelayConditions {
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
}

export interface RelayAnswer {
  readonly status: number;
  /** Those that a reader of files looks at, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, once. */
  pieces(): AsyncIterable<Uint8Array>;
  /** Gives up what was not read of the body. */
  close(): void;
}
