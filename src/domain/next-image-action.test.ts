import { describe, expect, test } from 'vitest';
import type { ObservedImage } from './image-step.ts';
import {
  type Action,
  nextAction,
  type ObservedDisk,
  type ObservedImport,
  type ObservedTransfer,
  STALL_MS,
} from './next-action.ts';

const NOW = 10_000_000;
const limits = { shutdownMs: 60_000, isForcedOff: false };

function image(given: Partial<ObservedImage> & { readonly state: ObservedImage['state'] }): ObservedImage {
  return { isAdopted: false, ...given } as ObservedImage;
}

function transfer(given: Partial<ObservedTransfer> = {}): ObservedTransfer {
  return { epoch: 1, state: 'running', startedAt: NOW - 10_000, progressAt: NOW - 1000, failures: 0, ...given };
}

const disk: ObservedDisk = {
  index: 0,
  volume: { state: 'absent' },
  epoch: 0,
  transfer: undefined,
  isDone: false,
  image: image({ state: 'absent', isServed: false }),
};

function seen(...disks: readonly Partial<ObservedDisk>[]): ObservedImport {
  return {
    now: NOW,
    isDeleting: false,
    hasFinalizer: true,
    isSuspended: false,
    isRetryAsked: false,
    history: 'ours',
    preflight: { findings: [], ranAt: NOW },
    sourcePower: { state: 'off' },
    disks: disks.map((each, index) => ({ ...disk, index, ...each })),
    hasToldDisks: true,
    machine: { state: 'absent' },
    leftovers: [],
  };
}

const serving = { epoch: 1, transfer: transfer(), image: image({ state: 'absent', isServed: true }) };
const importing = { epoch: 1, transfer: transfer(), image: image({ state: 'importing' }) };
const imported = { epoch: 1, transfer: transfer(), image: image({ state: 'imported' }) };
const adopted = (state: ObservedImage['state']) => ({ image: image({ isAdopted: true, state, message: 'no' }) });

describe('a disk that becomes an image', () => {
  const cases: readonly [name: string, seen: ObservedImport, action: Partial<Action>][] = [
    ['is served before there is an image', seen({}), { type: 'startTransfer', disk: 0, epoch: 1 }],
    [
      'has no image while its worker only starts',
      seen({ epoch: 1, transfer: transfer({ state: 'pending' }) }),
      { type: 'wait', reason: 'TransferRunning' },
    ],
    ['gets its image once it is served', seen(serving), { type: 'createImage', disk: 0 }],
    ['is asked about again and again while somebody imports it', seen(importing), { type: 'wait', afterMs: 5_000 }],
    ['gets a volume once it is imported', seen(imported), { type: 'createVolume', disk: 0 }],
    [
      'waits for its worker, which knows what the disk has to be',
      seen({ ...imported, volume: { state: 'bound' } }),
      { type: 'wait', reason: 'TransferRunning' },
    ],
    [
      'is proven when that worker is done',
      seen({ ...imported, volume: { state: 'bound' }, transfer: undefined }),
      { type: 'startTransfer', disk: 0, epoch: 2 },
    ],
    [
      'is served again by the next worker when one dies while it is imported',
      seen({ ...importing, transfer: transfer({ state: 'failed', endedAt: NOW - 60_000, failures: 1 }) }),
      { type: 'startTransfer', disk: 0, epoch: 2 },
    ],
    [
      'is given up together with an image that failed',
      seen({ ...importing, image: image({ state: 'failed', message: 'no space' }) }),
      { type: 'giveUpImage', disk: 0, message: 'no space' },
    ],
    [
      'is tried again after a pause',
      seen({ epoch: 1, transfer: transfer({ state: 'failed', endedAt: NOW, failures: 3 }) }),
      { type: 'wait', reason: 'TransferRetrying', afterMs: 5_000 },
    ],
    [
      'waits until an old image is gone',
      seen({ epoch: 1, transfer: transfer(), image: image({ state: 'going' }) }),
      { type: 'wait', reason: 'TransferRunning' },
    ],
    ['holds up no other disk', seen(importing, {}), { type: 'startTransfer', disk: 1, epoch: 1 }],
    [
      'has a foreign image named',
      seen({ image: image({ state: 'foreign', code: 'ImageExists', message: 'there is one' }) }),
      { type: 'stall', code: 'ImageExists', message: 'there is one' },
    ],
    [
      'has the reason named when nobody downloads',
      seen({
        ...importing,
        transfer: transfer({
          progressAt: NOW - STALL_MS.transfer,
          problem: { code: 'ImageNotDownloaded', message: 'nobody' },
        }),
      }),
      { type: 'stall', code: 'ImageNotDownloaded' },
    ],
    ['is done', seen({ ...imported, isDone: true, volume: { state: 'bound' } }), { type: 'createMachine' }],
  ];
  test.each(cases)('%s', (_, given, action) => {
    expect(nextAction(given, limits)).toMatchObject(action);
  });

  test.each([
    ['absent', { type: 'stall', code: 'ImageMissing' }],
    ['failed', { type: 'stall', code: 'ImageMissing' }],
    ['going', { type: 'stall', code: 'ImageMissing' }],
    ['importing', { type: 'wait', afterMs: 5_000 }],
    ['imported', { type: 'createVolume', disk: 0 }],
  ] as const)("the old controller's image that is %s is never made again", (state, action) => {
    expect(nextAction(seen(adopted(state)), limits)).toMatchObject(action);
  });

  test("a machine is made of the old controller's images without a transfer", () => {
    const done = {
      ...adopted('imported'),
      volume: { state: 'pending', isWaitingForConsumer: true, since: 0 },
      isDone: true,
    } as const;
    expect(nextAction(seen(done), limits)).toEqual({ type: 'createMachine' });
  });
});
