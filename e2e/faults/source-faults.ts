import type { ProblemCode } from '../../src/domain/problems.ts';
import { ActiveFaults } from '../../src/testing/faults/fault-plan.ts';
import type { ImageFault } from '../../src/testing/faults/faulty-image-file.ts';
import { byteAt, COPYING, DAMAGED_ARCHIVE, type FaultKind, type Point } from './fault-kind.ts';
import type { FaultWorld } from './fault-world.ts';
import type { SourceKind } from './source-kinds.ts';

const FOREVER = Number.POSITIVE_INFINITY;
const isLocal = ({ access }: SourceKind) => access === 'local';

/** What may go wrong with the files of a local source while they are read. */
export const sourceFaults: readonly FaultKind[] = [
  imageFault('drops the connection', { does: 'drop' }, ['SourceClosedEarly']),
  imageFault('cannot be read', { does: 'fail' }, ['SourceReadFailed']),
  imageFault('cannot be read from there on', { does: 'fail' }, ['SourceReadFailed'], { times: FOREVER }),
  imageFault('stalls for a while', { does: 'stall', ms: 20_000 }, []),
  {
    ...imageFault('stalls until it is stopped', { does: 'stall' }, ['Interrupted']),
    inject(world, point) {
      const faults = new ActiveFaults<ImageFault>([
        { at: { byte: byteAt(world.sourceBytes, point) }, fault: { does: 'stall' } },
      ]);
      armAt(world, faults, point);
      // The stall first, then the stop.
      faults.onStrike = () => void setImmediate(() => world.stop());
      world.imageFaults = faults;
    },
  },
  imageFault('gives fewer bytes than asked', { does: 'short' }, DAMAGED_ARCHIVE),
  imageFault('gives fewer bytes than asked each time', { does: 'short' }, DAMAGED_ARCHIVE, { times: FOREVER }),
  imageFault('turns a bit', { does: 'flip' }, DAMAGED_ARCHIVE, { fits: (each) => isLocal(each) && each.showsFlips }),
  imageFault('is said to be longer', { does: 'length', bytes: 512 }, DAMAGED_ARCHIVE, { points: ['opening', 'start'] }),
  imageFault('is said to be shorter', { does: 'length', bytes: -512 }, DAMAGED_ARCHIVE, {
    points: ['opening', 'start'],
    fits: (each) => isLocal(each) && each.saysOwnLength !== true,
  }),
  imageFault('changes', { does: 'change' }, ['SourceChanged'], { mustBeNamed: true }),
];

/** A fault in a file of a local source. */
function imageFault(
  name: string,
  fault: ImageFault,
  codes: readonly ProblemCode[],
  more: Partial<FaultKind> & { readonly times?: number } = {},
): FaultKind {
  const { times = 1, ...rest } = more;
  return {
    name: `source ${name}`,
    points: ['opening', ...COPYING],
    codes,
    fits: isLocal,
    inject(world, point) {
      const faults = new ActiveFaults([{ at: { byte: byteAt(world.sourceBytes, point) }, fault, times }]);
      armAt(world, faults, point);
      world.imageFaults = faults;
    },
    ...rest,
  };
}

function armAt(world: FaultWorld, faults: { isArmed: boolean }, point: Point): void {
  faults.isArmed = point === 'opening';
  world.onImport = () => {
    faults.isArmed = true;
  };
}
