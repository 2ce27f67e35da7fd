import type { ProblemCode } from '../../src/domain/problems.ts';
import { ActiveFaults } from '../../src/testing/faults/fault-plan.ts';
import type { StorageFault, StorageOperation } from '../../src/testing/faults/faulty-storage.ts';
import { byteAt, COPYING, type FaultKind, FRACTIONS, WRONG_TARGET } from './fault-kind.ts';

const FOREVER = Number.POSITIVE_INFINITY;
const image = /^disk-0\.(raw|qcow2)$/;
const fails = (on: StorageOperation): StorageFault => ({ on, does: 'fail' });

/** What may go wrong with the storage of a target. */
export const targetFaults: readonly FaultKind[] = [
  storageFault('cannot be written once', fails('write'), ['TargetWriteFailed']),
  storageFault('cannot be written any more', fails('write'), ['TargetWriteFailed'], { times: FOREVER }),
  storageFault('is full for a while', { on: 'write', does: 'full' }, ['TargetFull'], { times: 3 }),
  storageFault('is full', { on: 'write', does: 'full' }, ['TargetFull'], { times: FOREVER }),
  storageFault('takes half of a write', { on: 'write', file: image, does: 'short' }, WRONG_TARGET),
  storageFault('turns a bit of what is written', { on: 'write', file: image, does: 'flip' }, WRONG_TARGET),
  storageFault('is slow for a while', { on: 'write', does: 'slow', ms: 2000 }, [], { times: 10 }),
  storageFault('cannot be flushed', fails('sync'), ['TargetWriteFailed']),
  storageFault('cannot be flushed any more', fails('sync'), ['TargetWriteFailed'], { times: FOREVER }),
  storageFault('cannot be read', fails('read'), ['TargetReadFailed'], { points: ['verification', 'end'] }),
  storageFault('turns a bit of what is read', { on: 'read', file: image, does: 'flip' }, WRONG_TARGET, {
    points: ['verification', 'end'],
  }),
  storageFault(
    'gives half of what is read',
    { on: 'read', file: image, does: 'short' },
    [...WRONG_TARGET, 'TargetReadFailed'],
    {
      points: ['verification', 'end'],
    },
  ),
  storageFault('cannot keep a checkpoint', fails('replace'), ['TargetWriteFailed']),
  storageFault('cannot be given its final name', fails('rename'), ['TargetWriteFailed'], { points: ['rename'] }),
  storageFault('is full for its final name', { on: 'rename', does: 'full' }, ['TargetFull'], { points: ['rename'] }),
];

/** A fault of the target's storage, placed by what an import without faults does. */
function storageFault(
  name: string,
  fault: StorageFault,
  codes: readonly ProblemCode[],
  more: Partial<FaultKind> & { readonly times?: number } = {},
): FaultKind {
  const { times = 1, ...rest } = more;
  return {
    name: `target ${name}`,
    points: COPYING,
    codes,
    fits: () => true,
    isOfTarget: true,
    inject(world, point, count) {
      const { bytes, operations } = count(fault.on, fault.file);
      const at =
        bytes > 0
          ? { byte: byteAt(bytes, point) }
          : { operation: Math.max(1, Math.round(operations * FRACTIONS[point])) };
      world.storageFaults = new ActiveFaults([{ at, fault, times }]);
    },
    ...rest,
  };
}
