import type { Finding } from '../domain/finding.ts';
import type { CallOptions } from '../lib/call-options.ts';

/** How to reach a cluster, and as whom. */
export interface ApiAccess {
  /** Where this is said, for messages: `context prod of /home/me/.kube/config`, `the service account of this Pod`. */
  readonly origin: string;
  /** With the path in front of the API, where a gateway has one. */
  readonly server: URL;
  /** Read again after its certificate was refused: a CA may be renewed. The machine's own ones count when undefined. */
  readonly readCa: () => Promise<string | undefined>;
  /** The server's identity is not checked, because the kubeconfig says so. */
  readonly isUnverified: boolean;
  /** What the server's certificate has to be for, where it is not the host of the address. */
  readonly serverName?: string | undefined;
  /** Where objects are meant to be when nothing else says so. */
  readonly namespace: string;
  readonly identity: Identity;
  /** What the user should know about this. */
  readonly remarks: readonly Finding[];
}

export interface Identity {
  /**
   * What to show the server now.
   * @throws ProblemError `KubeCredentialsFailed`
   */
  current(options?: CallOptions): Promise<Credentials>;
  /** The server did not accept them. Whether others may be had. */
  refuse(): boolean;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly certificate?: ClientCertificate | undefined;
}

export interface ClientCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** Credentials that are what they are. */
export function fixedIdentity(credentials: Credentials): Identity {
  return { current: async () => credentials, refuse: () => false };
}
