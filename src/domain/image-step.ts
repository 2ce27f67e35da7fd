import type { ProblemCode } from './problems.ts';

/**
 * A disk whose volume somebody else writes, and the object by which they are asked to: a VirtualMachineImage, downloaded from a worker that serves the disk, or a DataVolume that a worker sends
 * it to:
 *
 *     transfer serves -> image -> somebody imports it -> volume of the image -> transfer proves the volume
 *     DataVolume -> transfer sends -> its volume -> transfer proves the volume
 */
export type ObservedImage = {
  /** The old controller made it: it is waited for and used, and never made again. */
  readonly isAdopted: boolean;
} & (
  | {
      readonly state: 'absent';
      /** The running transfer serves the disk, so that an image may be made of it; or nobody has to, because it will be sent. */
      readonly isServed: boolean;
    }
  /** `going`: it is being deleted, and another one of its name can only follow then. */
  | { readonly state: 'going' | 'imported' }
  | { readonly state: 'importing'; readonly message?: string | undefined }
  /** Whoever imports it has given up. */
  | { readonly state: 'failed'; readonly code: ProblemCode; readonly message: string }
  /** Something of this name is there that this import did not make. */
  | { readonly state: 'foreign'; readonly code: ProblemCode; readonly message: string }
);

export interface ImageDisk {
  readonly index: number;
  readonly isDone: boolean;
  readonly image?: ObservedImage | undefined;
}

export type ImageStep =
  | { readonly type: 'createImage'; readonly disk: number }
  /** The run failed together with its image: both are removed, and the next run makes another one. */
  | { readonly type: 'giveUpImage'; readonly disk: number; readonly code: ProblemCode; readonly message: string }
  | { readonly type: 'stall'; readonly code: ProblemCode; readonly message: string; readonly afterMs?: number };

/** What the images need next; undefined when that is not up to us. */
export function imageStep(disks: readonly ImageDisk[]): ImageStep | undefined {
  for (const { index, isDone, image } of disks) {
    if (isDone || image === undefined) continue;
    if (image.state === 'foreign') return { type: 'stall', code: image.code, message: image.message };
    if (image.isAdopted) {
      const message = whyUnusable(image);
      if (message !== undefined) return { type: 'stall', code: 'ImageMissing', message: `disk ${index}: ${message}` };
      continue;
    }
    if (image.state === 'failed') return { type: 'giveUpImage', disk: index, code: image.code, message: image.message };
    if (image.state === 'absent' && image.isServed) return { type: 'createImage', disk: index };
  }
  return undefined;
}

/** Somebody else works on it, who tells nobody. */
export function isToBeAskedAbout({ isDone, image }: ImageDisk): boolean {
  return !isDone && image !== undefined && image.state !== 'foreign';
}

function whyUnusable(image: ObservedImage): string | undefined {
  if (image.state === 'failed') return image.message;
  if (image.state === 'absent' || image.state === 'going') return 'the image that the old controller made is gone';
  return undefined;
}
