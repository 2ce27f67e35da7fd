import { describe, expect, test } from 'vitest';
import { diskPhases } from '../../api/import-progress.ts';
import { displayProgress } from './display-progress.ts';

describe('displayProgress', () => {
  test.each([undefined, {}, { phase: 'Preflight' as const, disks: [] }])(
    'shows nothing before disks are known',
    (told) => {
      expect(displayProgress(told)).toBeUndefined();
    },
  );

  test('a disk that copies alone has the speed of all', () => {
    const shown = displayProgress({
      doneBytes: 140,
      totalBytes: 300,
      bytesPerSecond: 7,
      etaSeconds: 20,
      disks: [
        { index: 0, name: 'root', phase: 'Done', doneBytes: 100, totalBytes: 100 },
        { index: 1, name: 'data', phase: 'Transferring', doneBytes: 40, totalBytes: 200 },
      ],
    });
    expect(shown?.overall).toEqual({ doneBytes: 140, totalBytes: 300, bytesPerSecond: 7, etaMs: 20_000 });
    expect(shown?.disks).toMatchObject([
      { name: 'root', phase: 'done', doneBytes: 100, bytesPerSecond: undefined },
      { name: 'data', phase: 'copy', doneBytes: 40, totalBytes: 200, bytesPerSecond: 7, etaMs: 20_000 },
    ]);
  });

  test('of two that copy at once nobody knows the speed of each', () => {
    const disks = [0, 1].map((index) => ({ index, name: `disk ${index}`, phase: 'Transferring' as const }));
    const shown = displayProgress({ doneBytes: 0, bytesPerSecond: 7, disks });
    expect(shown?.disks.map(({ bytesPerSecond }) => bytesPerSecond)).toEqual([undefined, undefined]);
  });

  test('a disk without a name is called by its id, and without one by its number', () => {
    const shown = displayProgress({
      disks: [
        { index: 0, id: 'disk-2000' },
        { index: 1, dataBytes: 50 },
      ],
    });
    expect(shown?.disks).toMatchObject([{ name: 'disk-2000' }, { name: 'disk 1', phase: 'waiting', totalBytes: 50 }]);
  });

  test.each(diskPhases)('the phase %s can be shown', (phase) => {
    const [disk] = displayProgress({ disks: [{ index: 0, phase }] })?.disks ?? [];
    expect(['waiting', 'copy', 'finish', 'verify', 'done']).toContain(disk?.phase);
  });
});
