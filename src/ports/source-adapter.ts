import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Source } from './source.ts';
import type { SourceRelay } from './source-relay.ts';

/** How one kind of source object (OvaSource, VmwareSource, ...) becomes a Source. A new platform is one of these, handed to the controller by `main/`. */
export interface SourceAdapter {
  readonly resource: ResourceKind;
  /**
   * Reads the object and the Secret it names.
   * @throws ProblemError `SecretMissing`, `SecretKeyMissing`, `ImportFieldInvalid`
   */
  resolve(stored: KubernetesObject, readSecret: ReadSecret, options?: CallOptions): Promise<ResolvedSource>;
}

/** Values decoded; undefined when there is no such Secret. */
export type ReadSecret = (
  ref: { readonly namespace: string; readonly name: string },
  options?: CallOptions,
) => Promise<SecretValues | undefined>;

export interface SecretValues {
  readonly version: string;
  readonly values: ReadonlyMap<string, string>;
}

/** A source with all it takes to reach it. Holds secrets: it never leaves the controller. */
export interface ResolvedSource {
  /** As the user would write it, without secrets. */
  readonly location: string;
  /** Of the server, for limits; absent where there is none. */
  readonly host: string | undefined;
  /** Of the Secret that was read. */
  readonly secretVersion: string | undefined;
  /** Which machine the source is asked for; undefined where it has only one. */
  machineRef(wanted: { readonly name: string | undefined; readonly folder: string | undefined }): string | undefined;
  /** Looks whether the source is there and lets us in. @throws ProblemError why not */
  check(options?: CallOptions): Promise<void>;
  open(options?: CallOptions): Promise<Source>;
  /**
   * What a worker needs to read the source by itself: plain data without any secret. Undefined where it takes the account, which never leaves the controller; then the
   * controller relays the bytes (ruling 17).
   */
  readonly direct: DirectSource | undefined;
  /** Passes the source's bytes on to a worker; absent where workers always read by themselves. */
  openRelay?(options?: CallOptions): Promise<SourceRelay>;
  /** Longest time without a byte from the source; undefined for the usual one. */
  readonly stallMs?: number | undefined;
}

export interface DirectSource {
  readonly ova: {
    readonly url: string;
    /** PEM; the system's CAs where absent. */
    readonly ca?: string | undefined;
    readonly isInsecure?: boolean;
    /** Longest time without a byte. */
    readonly stallMs?: number;
  };
}
