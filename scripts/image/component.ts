/** One thing the image is made of, for its bill of materials. */
export interface Component {
  readonly kind: 'operating-system' | 'library' | 'platform';
  readonly name: string;
  readonly version: string;
  /** Package URL, by which scanners find what is known of it. */
  readonly purl: string;
  /** Of what was fetched, hexadecimal. */
  readonly digest?: { readonly algorithm: 'SHA-256' | 'SHA-512'; readonly value: string };
  /** As its publisher writes them: SPDX expressions of npm packages, names in Debian's copyright files. */
  readonly licenses: readonly string[];
  /** By which scanners find what has no package URL of its own. */
  readonly cpe?: string;
  readonly parts?: readonly Component[];
}
