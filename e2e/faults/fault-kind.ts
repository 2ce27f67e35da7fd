import type { ProblemCode } from '../../src/domain/problems.ts';
import type { CountStorage } from '../../src/testing/faults/faulty-storage.ts';
import type { FaultWorld } from './fault-world.ts';
import type { SourceKind } from './source-kinds.ts';

/** Where a fault strikes. `opening` is while the plan is made; the others are in the copy, in the comparison that follows it, and in the last step. */
export type Point = 'opening' | 'start' | 'third' | 'twoThirds' | 'end' | 'verification' | 'rename';

export interface FaultKind {
  readonly name: string;
  readonly points: readonly Point[];
  /** Problems that may be named. Empty: the import has to bear it. */
  readonly codes: readonly ProblemCode[];
  /** Whether a case of this kind makes sense with this source. */
  readonly fits: (source: SourceKind) => boolean;
  /** Whether it is about the target's storage, which can then also be one that loses power. */
  readonly isOfTarget?: boolean;
  /** Whether an import in whose copy it strikes must not end well, though its disk may be right by luck. */
  readonly mustBeNamed?: boolean;
  /** Whether the source says during the fault what makes it another one, so that a copy begun then is not continued but by `--restart`. */
  readonly changesIdentity?: boolean;
  /** Prepares the world so that the fault strikes at the point. @param count what an import without faults does to the storage */
  readonly inject: (world: FaultWorld, point: Point, count: CountStorage) => void;
  /** Puts back what was changed outside the world's own means. */
  readonly undo?: (world: FaultWorld) => void;
}

export const COPYING = ['start', 'third', 'twoThirds', 'end'] as const;
export const MIDWAY = ['third', 'twoThirds'] as const;
export const FRACTIONS: Readonly<Record<Point, number>> = {
  opening: 0,
  start: 0.02,
  third: 1 / 3,
  twoThirds: 2 / 3,
  end: 1,
  verification: 1 / 2,
  rename: 1,
};

/** What damage to the bytes of a disk may be called. */
export const DAMAGE = [
  'DigestMismatch',
  'DiskImageCorrupt',
  'DiskImageTruncated',
  'DiskGrainOversized',
  'DiskFormatUnknown',
  'DiskFormatUnsupported',
  'DiskSizeMismatch',
  'DiskTooLarge',
] as const satisfies ProblemCode[];
/** The same of an archive that holds it, or of any source. */
export const DAMAGED_ARCHIVE = [
  ...DAMAGE,
  'NotAnOva',
  'ArchiveTruncated',
  'ArchiveCorrupt',
  'OvfMalformed',
] as const satisfies ProblemCode[];

/** What a target that does not hold what was written to it may be called: its tables are read back too. */
export const WRONG_TARGET = [
  'VerificationFailed',
  'DiskImageCorrupt',
  'DiskImageTruncated',
] as const satisfies ProblemCode[];

/** The byte of `total` that lies at the point. */
export function byteAt(total: number, point: Point): number {
  return Math.min(total - 1, Math.floor(total * FRACTIONS[point]));
}
