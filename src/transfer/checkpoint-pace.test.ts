import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { CheckpointPace } from './checkpoint-pace.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Checkpoints due every 100 bytes or second, each saved when the test says so. */
function begin() {
  const clock = new FakeClock();
  const saves: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const save = () => new Promise<void>((resolve, reject) => saves.push({ resolve, reject }));
  const pace = new CheckpointPace({ clock, everyBytes: 100, everyMs: 1000, limitBytes: 150, save });
  return { clock, saves, pace };
}

describe('CheckpointPace', () => {
  test('saves after so many bytes, or so much time', async () => {
    const { clock, saves, pace } = begin();
    pace.count(99);
    await pace.keepUp();
    expect(saves).toHaveLength(0);
    pace.count(1);
    await pace.keepUp();
    expect(saves).toHaveLength(1);
    saves[0]?.resolve();
    await settle();
    clock.ms += 1000;
    await pace.keepUp();
    expect(saves).toHaveLength(2);
  });

  test('saves in time also while bytes trickle in and there is no work yet', async () => {
    const { clock, saves, pace } = begin();
    clock.ms += 999;
    pace.count(1);
    expect(saves).toHaveLength(0);
    clock.ms += 1;
    pace.count(1);
    pace.count(1);
    expect(saves).toHaveLength(1);
    saves[0]?.reject(new Error('EIO'));
    await settle();
    clock.ms += 5000;
    pace.count(1);
    expect(saves).toHaveLength(1);
    await expect(pace.keepUp()).rejects.toThrow('EIO');
  });

  test('the copy goes on while one is saved, one at a time, up to the limit', async () => {
    const { saves, pace } = begin();
    pace.count(100);
    await pace.keepUp();
    pace.count(150);
    await pace.keepUp();
    expect(saves).toHaveLength(1);

    pace.count(1);
    let isHeld = true;
    const held = pace.keepUp().then(() => {
      isHeld = false;
    });
    await settle();
    expect(isHeld).toBe(true);
    saves[0]?.resolve();
    await held;
    await pace.keepUp();
    expect(saves).toHaveLength(2);
  });

  test('what saving met is thrown, and nothing is saved after it', async () => {
    const { saves, pace } = begin();
    pace.count(100);
    await pace.keepUp();
    saves[0]?.reject(new Error('EIO'));
    await pace.settle();
    pace.count(1000);
    await expect(pace.keepUp()).rejects.toThrow('EIO');
    expect(saves).toHaveLength(1);
  });

  test('settling waits for the one under way', async () => {
    const { saves, pace } = begin();
    pace.count(100);
    await pace.keepUp();
    let isSettled = false;
    const settled = pace.settle().then(() => {
      isSettled = true;
    });
    await settle();
    expect(isSettled).toBe(false);
    saves[0]?.resolve();
    await settled;
  });
});
