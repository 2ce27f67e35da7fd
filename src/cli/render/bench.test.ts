import { describe, expect, test } from 'vitest';
import type { BenchResult } from '../../app/bench-transfer.ts';
import { noPaint } from '../io.ts';
import { renderBench } from './bench.ts';
import { benchShape } from './shapes.ts';
import { textWidth } from './text-width.ts';

const MIB = 1024 ** 2;
const second = (mib: number) => ({ bytes: mib * MIB, ms: 1_000 });
const result: BenchResult = {
  source: './app.ova',
  target: 'dir:/srv/out?format=qcow2',
  machine: { id: 'vm-1', name: 'web01' },
  disk: { id: 'd', name: 'Hard disk 1' },
  rates: { read: second(120), decode: second(900), hash: second(1700), lanes: 4, expansion: 2.51 },
  targetRates: { write: second(480), readBack: second(800) },
  limitedBy: 'read',
  copyBytesPerSecond: 301.2 * MIB,
};

describe('renderBench', () => {
  test.each([80, 120])('tells each rate and what limits, in %i columns', (columns) => {
    const text = renderBench(result, { paint: noPaint, columns });
    expect(text).toMatchSnapshot();
    expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(columns);
  });

  test('a target without a rate is said to have none', () => {
    const text = renderBench({ ...result, targetRates: undefined }, { paint: noPaint, columns: 100 });
    expect(text).toContain('write   ?          the target cannot be measured');
  });

  test('names from the source cannot drive the terminal', () => {
    const hostile = '\u001b[2J\n';
    const named = { ...result, source: hostile, machine: { id: '', name: hostile }, disk: { id: '', name: hostile } };
    const text = renderBench(named, { paint: noPaint, columns: 100 });
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});

test('the shape of a bench, for scripts', () => {
  expect(benchShape(result)).toEqual({
    source: './app.ova',
    target: 'dir:/srv/out?format=qcow2',
    machine: { id: 'vm-1', name: 'web01' },
    disk: { id: 'd', name: 'Hard disk 1' },
    limitedBy: 'read',
    copyBytesPerSecond: Math.round(301.2 * MIB),
    rates: {
      read: { bytesPerSecond: 120 * MIB, ...second(120) },
      decode: { bytesPerSecond: 900 * MIB, ...second(900) },
      hash: { bytesPerSecond: 1700 * MIB, ...second(1700) },
      write: { bytesPerSecond: 480 * MIB, ...second(480) },
      readBack: { bytesPerSecond: 800 * MIB, ...second(800) },
    },
    lanes: 4,
    expansion: 2.51,
  });
  expect(benchShape({ ...result, targetRates: undefined })).toMatchObject({ rates: { read: {} } });
});
