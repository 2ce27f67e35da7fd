import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type MappingOptions, mapMachine } from '../domain/hardware-mapping.ts';
import type { Machine } from '../domain/machine.ts';
import {
  aMachine,
  linuxBiosMachine,
  randomMachine,
  someOptions,
  windowsEfiMachine,
} from '../testing/kubevirt/sample-machines.ts';
import { seededRandom } from '../testing/random.ts';
import { renderMachineManifest } from './machine-manifest.ts';

function manifest(machine: Machine, options: Partial<MappingOptions> = {}): string {
  const mapped = mapMachine(machine, someOptions(options));
  const format = options.diskFormat ?? 'qcow2';
  const disks = machine.disks.map(({ virtualSizeBytes }, index) => ({
    fileName: `disk-${index}.${format}`,
    virtualSizeBytes,
    format,
  }));
  return renderMachineManifest(mapped, disks);
}

describe('renderMachineManifest', () => {
  test('a Linux machine with BIOS', () => {
    const networks = new Map([['VM Network', 'default/vlan10']]);
    expect(manifest(linuxBiosMachine, { targetName: 'web-01-old', namespace: 'shop', networks })).toMatchSnapshot();
  });

  test('a Windows machine with EFI, Secure Boot and TPM', () => {
    const options = { targetName: 'sql-prod', diskFormat: 'raw', storageClassName: 'longhorn' } as const;
    expect(manifest(windowsEfiMachine, options)).toMatchSnapshot();
  });

  test('a machine that is to start by itself comes into the cluster after its disks', () => {
    const lines = manifest(aMachine(), { runStrategy: 'RerunOnFailure' }).split('\n');
    const at = (text: string) => lines.findIndex((line) => line.endsWith(text));
    expect(at('kubectl apply -f machine.yaml -l app.kubernetes.io/component=disk')).toBeGreaterThan(0);
    expect(at('kubectl apply -f machine.yaml')).toBeGreaterThan(at('--image-path=disk-0.qcow2'));
  });

  test('a machine without a card gets none', () => {
    expect(manifest(aMachine())).toContain('autoattachPodInterface: false');
  });

  test('odd names cannot break out of the comment or the shell words', () => {
    const text = manifest(aMachine(), { namespace: "x'; rm -rf /\nkind: Evil" });
    const [head = ''] = text.split('apiVersion');
    for (const line of head.split('\n').slice(0, -2)) expect(line).toMatch(/^#|^---$/);
    expect(head).toContain("-n 'x'\\''; rm -rf /");
  });

  test('whatever the source says, the text is one YAML document per object and reads back as it was', () => {
    const random = seededRandom(11);
    for (let run = 0; run < 100; run += 1) {
      const machine = randomMachine(random);
      const text = manifest(machine);
      const documents = parseAllDocuments(text);
      expect(documents.flatMap((each) => each.errors)).toEqual([]);
      const objects = documents.map((each) => each.toJS()).filter((each) => each !== null);
      expect(objects).toHaveLength(machine.disks.length + 1);
      expect(objects.at(-1).metadata.annotations).toEqual(mapMachine(machine, someOptions()).hardware.annotations);
    }
  });

  test('a disk that was not written is a bug, not a manifest', () => {
    expect(() => renderMachineManifest(mapMachine(aMachine(), someOptions()), [])).toThrow('was not written');
  });
});
