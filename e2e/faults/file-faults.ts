import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { requireTool } from '../../src/testing/require-tool.ts';
import { DAMAGED_ARCHIVE, type FaultKind, FRACTIONS, MIDWAY, WRONG_TARGET } from './fault-kind.ts';
import { DATA_BYTES } from './fault-sample.ts';
import { onProgressAt } from './on-progress.ts';
import { restoreSource } from './source-copies.ts';
import { diskFileOf, type SourceKind } from './source-kinds.ts';

const mayMount = process.getuid?.() === 0 && requireTool('mount');
const isLocal = ({ access }: SourceKind) => access === 'local';

/** What happens to real files while threads read and write them by themselves, with nothing of ours in between. */
export const fileFaults: readonly FaultKind[] = [
  {
    name: 'the source file is cut',
    points: MIDWAY,
    codes: ['SourceChanged', 'SourceReadFailed', ...DAMAGED_ARCHIVE],
    fits: isLocal,
    mustBeNamed: true,
    inject: (world, point) =>
      onProgressAt(world, point, () => truncateSync(diskFileOf(world.options.sourcePath).path, world.sourceBytes / 2)),
    undo: (world) => restoreSource(diskFileOf(world.options.sourcePath).path),
  },
  {
    name: 'the source file is written to',
    points: [...MIDWAY, 'verification'],
    codes: ['SourceChanged', ...DAMAGED_ARCHIVE],
    fits: isLocal,
    mustBeNamed: true,
    inject(world, point) {
      const { path } = diskFileOf(world.options.sourcePath);
      onProgressAt(world, point, () =>
        writeFileSync(path, withByteChanged(readFileSync(path), world.sourceBytes / 2), { flag: 'r+' }),
      );
    },
    undo: (world) => restoreSource(diskFileOf(world.options.sourcePath).path),
  },
  {
    name: 'the disk of the target turns a bit',
    points: ['verification'],
    codes: WRONG_TARGET,
    // From other sources leaves may have been read back while the copy went on; what turns after that nobody can see.
    fits: ({ isInPlace = false }) => isInPlace,
    inject: (world) =>
      onProgressAt(world, 'verification', () => {
        const path = world.options.target.partialDiskPath(world.out);
        writeFileSync(path, withByteChanged(readFileSync(path), statSync(path).size / 2), { flag: 'r+' });
      }),
  },
  {
    name: 'the file system of the target is full',
    points: MIDWAY,
    codes: ['TargetFull'],
    // Of others it is known how much they need, and they are refused beforehand.
    fits: ({ saysOwnLength = false, access }) => mayMount && (saysOwnLength || access === 'forward'),
    inject(world, point) {
      const sizeBytes = Math.floor(DATA_BYTES * FRACTIONS[point]);
      mkdirSync(world.out);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', world.out]);
      // Lazily: what a failed case still holds open must not keep it.
      world.atEnd(() => void execFileSync('umount', ['--lazy', world.out]));
      world.hasStruck = true;
    },
    undo: (world) => void execFileSync('mount', ['-o', `remount,size=${4 * DATA_BYTES}`, world.out]),
  },
];

function withByteChanged(bytes: Buffer, at: number): Buffer {
  const index = Math.floor(at);
  bytes[index] = (bytes[index] ?? 0) ^ 0x10;
  return bytes;
}
