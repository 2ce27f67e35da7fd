import { describe, expect, test } from 'vitest';
import type { ImportPlan } from '../../app/import-plan.ts';
import { mapMachine } from '../../domain/hardware-mapping.ts';
import type { Machine } from '../../domain/machine.ts';
import { linuxBiosMachine, someOptions, windowsEfiMachine } from '../../testing/kubevirt/sample-machines.ts';
import { ansiPaint, noPaint } from '../io.ts';
import { renderPlan } from './plan.ts';
import { planShape } from './shapes.ts';
import { textWidth } from './text-width.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

function planOf(machine: Machine, properties: Partial<ImportPlan> = {}): ImportPlan {
  const mapped = mapMachine(machine, someOptions());
  return {
    source: './app.ova',
    target: 'dir:/srv/out?format=qcow2',
    machine,
    targetName: 'web01',
    mapped,
    disks: machine.disks.map((disk, index) => ({
      disk,
      index,
      format: disk.fileName === undefined ? 'empty' : 'vmdk streamOptimized',
      virtualSizeBytes: disk.virtualSizeBytes,
      allocation: { kind: 'exact', bytes: disk.fileName === undefined ? 0 : 3 * GIB },
    })),
    findings: mapped.findings,
    dataBytes: 3 * GIB,
    virtualSizeBytes: machine.disks.reduce((sum, disk) => sum + disk.virtualSizeBytes, 0),
    ...properties,
  };
}

describe('renderPlan', () => {
  test.each([80, 120])(
    'says what is kept, changed and dropped, and what stands in the way, in %i columns',
    (columns) => {
      const text = renderPlan(planOf(linuxBiosMachine), { paint: noPaint, columns });
      expect(text).toMatchSnapshot();
      expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(columns);
    },
  );

  test('rows of one reason stand together above it', () => {
    const text = renderPlan(planOf(windowsEfiMachine), { paint: noPaint, columns: 100 });
    expect(text).toMatchSnapshot();
    expect(text.match(/KubeVirt has no NVMe/g)).toHaveLength(1);
  });

  test('what nobody knows yet is said to be unknown', () => {
    const machine = windowsEfiMachine;
    const disks = machine.disks.map((disk, index) => ({
      disk,
      index,
      format: undefined,
      virtualSizeBytes: disk.virtualSizeBytes,
      allocation: { kind: 'unknown' } as const,
    }));
    const plan = planOf(machine, { disks, dataBytes: undefined, target: undefined });
    const text = renderPlan(plan, { paint: noPaint, columns: 100 });
    expect(text).toContain('Space needed: unknown until the disks are read, at most 280 GiB');
  });

  test.each([80, 120])('how long it takes, what limits it and why, in %i columns', (columns) => {
    const rates = { read: 80 * MIB, decode: 1900 * MIB, hash: 3000 * MIB, write: 480 * MIB, readBack: 500 * MIB };
    const estimate = { ms: 100_000, copyMs: 80_000, verifyMs: 20_000, limitedBy: 'read' as const, rates };
    const lines = renderPlan(planOf(linuxBiosMachine, { estimate }), { paint: noPaint, columns }).split('\n');
    const at = lines.findIndex((line) => line.includes('Time needed'));
    expect(lines.slice(at, at + 4)).toMatchSnapshot();
    expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(columns);
  });

  test.each([
    [undefined, 'no target was named'],
    ['device:/dev/sdx', 'the target could not be measured'],
  ])('a target that was not measured (%s) is not invented', (target, told) => {
    const rates = { read: 80 * MIB, decode: 1900 * MIB, hash: 3000 * MIB };
    const estimate = { ms: 100_000, copyMs: 80_000, verifyMs: 20_000, limitedBy: 'decode' as const, rates };
    const text = renderPlan(planOf(linuxBiosMachine, { estimate, target }), { paint: noPaint, columns: 200 });
    expect(text).toContain(
      `Limited by unpacking: the source gives 80 MiB/s as stored, unpacking does 1.9 GiB/s, ${told}`,
    );
  });

  test('why there is no estimate', () => {
    const plan = planOf(linuxBiosMachine, { notEstimated: 'nothing came' });
    expect(renderPlan(plan, { paint: noPaint, columns: 80 })).toContain('  Time needed: unknown; nothing came\n');
  });

  test('names from the source cannot drive the terminal', () => {
    const hostile = '\u001b[2J\u202e\n';
    const machine: Machine = {
      ...linuxBiosMachine,
      name: hostile,
      annotation: hostile,
      nics: [{ id: hostile, model: hostile, network: hostile, isConnected: true }],
      settings: [{ kind: hostile, name: hostile, value: hostile }],
    };
    const text = renderPlan(planOf(machine, { source: hostile }), { paint: noPaint, columns: 100 });
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(renderPlan(planOf(machine), { paint: ansiPaint, columns: 100 })).not.toContain('\u001b[2J');
  });
});

test('what scripts get has no value of a setting that looks like a secret', () => {
  const shape = JSON.stringify(planShape(planOf(linuxBiosMachine)));
  expect(shape).toContain('setting[Property root_password]');
  expect(shape).not.toContain('hunter2');
});

test('the shape of a plan, for scripts', () => {
  expect(Object.keys(planShape(planOf(linuxBiosMachine)))).toEqual([
    'source',
    'target',
    'machine',
    'targetName',
    'disks',
    'dataBytes',
    'virtualSizeBytes',
    'estimatedMs',
    'estimate',
    'notEstimated',
    'hardware',
    'fidelity',
    'findings',
  ]);
  expect(planShape(planOf(linuxBiosMachine))).toMatchObject({
    disks: [{ index: 0, id: 'disk1', fileName: 'web-disk1.vmdk', allocation: { kind: 'exact' } }, { index: 1 }],
    findings: expect.arrayContaining([
      expect.objectContaining({ code: 'NetworkNotMapped', remedy: expect.any(String) }),
    ]),
  });
});
