import type { Finding } from '../../domain/finding.ts';
import type { ProblemError } from '../../domain/problems.ts';
import { isDiskImage } from '../../formats/open-disk-image.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Source } from '../../ports/source.ts';
import { Appliance } from './appliance.ts';
import type { ApplianceFiles } from './appliance-files.ts';
import type { BackoffOptions } from './backoff.ts';
import type { HttpHeaders } from './http-problems.ts';
import { LoneDiskSource } from './lone-disk-source.ts';
import { OvaSource } from './ova-source.ts';

export interface OpenOvaSourceOptions extends CallOptions {
  /** Path of an .ova, an .ovf, a folder or a disk image, or an http(s) address of one of the files. */
  readonly location: string;
  /** Go before what the address says. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** What is sent as `authorization` instead of user and password, asked for anew with each request. */
  readonly authorize?: (() => Promise<string>) | undefined;
  /** Understands answers of a server that tells what is wrong in its own words. */
  readonly readProblem?: ((headers: HttpHeaders) => ProblemError | undefined) | undefined;
  /** See BackoffOptions. */
  readonly excuse?: BackoffOptions['excuse'];
  /** Most connections to one origin; 16 unless told. */
  readonly maxConnections?: number | undefined;
  /** Certificates trusted besides the usual ones. */
  readonly caPem?: string | undefined;
  /** Leaves the server's identity unchecked. */
  readonly insecure?: boolean | undefined;
  /** Id of the deployment option. */
  readonly deployment?: string | undefined;
  /** PEM texts that vouch for the signer of a manifest. */
  readonly signatureCaPem?: readonly string[] | undefined;
  /** How long a server may send nothing; 30 s unless told. */
  readonly stallMs?: number | undefined;
  /** Tries without progress before a problem of the network is thrown; 5 unless told. */
  readonly tries?: number | undefined;
  readonly clock: Clock;
  /** For the jitter between tries; Math.random unless told. */
  readonly random?: (() => number) | undefined;
}

/** How the files of a location are put to use. */
export type Opened =
  | { readonly kind: 'appliance'; readonly files: ApplianceFiles }
  | { readonly kind: 'disk'; readonly files: ApplianceFiles; readonly fileName: string };

/** @param shown what opening showed, and what is closed with the source */
export function makeSource(
  opened: Opened,
  location: string,
  options: OpenOvaSourceOptions,
  shown: { readonly findings: readonly Finding[]; readonly connection?: AsyncDisposable },
): Source {
  const { files } = opened;
  if (opened.kind === 'disk') return new LoneDiskSource(files, { location, fileName: opened.fileName, ...shown });
  const { deployment, signatureCaPem, clock } = options;
  return new OvaSource(new Appliance(files, { deployment, signatureCaPem }), { location, clock, ...shown });
}

/** What a file is, by its name and first bytes. What is neither is taken for an archive, whose reader says when it is none. */
export function kindOfFile(name: string, head: Uint8Array): 'descriptor' | 'disk' | 'archive' {
  if (/\.ovf$/i.test(name)) return 'descriptor';
  return isDiskImage(name, head) ? 'disk' : 'archive';
}
