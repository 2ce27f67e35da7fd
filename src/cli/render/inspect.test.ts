import { describe, expect, test } from 'vitest';
import type { InspectedMachine } from '../../app/inspect-source.ts';
import type { Machine } from '../../domain/machine.ts';
import { aMachine, linuxBiosMachine, windowsEfiMachine } from '../../testing/kubevirt/sample-machines.ts';
import { noPaint } from '../io.ts';
import { renderMachines } from './inspect.ts';
import { inspectionShape } from './shapes.ts';
import { textWidth } from './text-width.ts';

function inspected(machine: Machine): InspectedMachine {
  const disks = machine.disks.map((disk) => ({
    disk: disk.fileName === undefined ? disk : { ...disk, fileSizeBytes: 700 * 1024 ** 2 },
    format: disk.fileName === undefined ? 'empty' : 'vmdk streamOptimized',
  }));
  return { machine, disks, findings: [] };
}

describe('renderMachines', () => {
  test.each([80, 120])('shows each machine with disks and cards, in %i columns', (columns) => {
    const machines = [linuxBiosMachine, windowsEfiMachine].map(inspected);
    const text = renderMachines(machines, { paint: noPaint, columns });
    expect(text).toMatchSnapshot();
    expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(columns);
  });

  test('a machine without disks and cards is shown without empty tables', () => {
    const text = renderMachines([inspected(aMachine({ disks: [], controllers: [] }))], { paint: noPaint, columns: 80 });
    expect(text).toMatchInlineSnapshot(`
      "web01 (id vm-1)
        CPU       1 (1 socket x 1 core x 1 thread)
        Memory    1 GiB
        Firmware  BIOS"
    `);
  });

  test('a long annotation is cut', () => {
    const text = renderMachines([inspected(aMachine({ annotation: 'x'.repeat(9000) }))], {
      paint: noPaint,
      columns: 80,
    });
    expect(text.length).toBeLessThan(1200);
  });
});

test('what scripts get names settings without their values: appliances keep passwords there', () => {
  const shape = inspectionShape([inspected(linuxBiosMachine)]);
  expect(JSON.stringify(shape)).not.toContain('hunter2');
  expect(shape).toMatchObject({
    machines: [
      {
        id: 'vm-1',
        name: 'Web_01 (old)',
        disks: [
          { id: 'disk1', format: 'vmdk streamOptimized' },
          { id: 'disk2', format: 'empty' },
        ],
        settings: [{ kind: 'vmw:ExtraConfig', name: 'svga.autodetect' }, { name: 'root_password' }],
        findings: [],
      },
    ],
  });
});
