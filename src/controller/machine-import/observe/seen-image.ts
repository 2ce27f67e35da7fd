import type { ProblemCode } from '../../../domain/problems.ts';

/** What there is of a disk's image, or of the DataVolume that it is sent to. */
export type SeenImage =
  | { readonly state: 'absent' | 'going' }
  | {
      readonly state: 'importing';
      readonly message?: string | undefined;
      /** Of a DataVolume: the disk may be sent now. */
      readonly takesUpload?: boolean;
    }
  /** With the class that Harvester made for its volumes. */
  | { readonly state: 'imported'; readonly storageClass?: string | undefined }
  | { readonly state: 'failed'; readonly message: string }
  | { readonly state: 'foreign'; readonly code: ProblemCode; readonly message: string };
