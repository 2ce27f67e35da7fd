import { beforeAll, describe, expect, test } from 'vitest';
import { type MappingOptions, mapMachine } from '../domain/hardware-mapping.ts';
import { toKubernetesName } from '../domain/kubernetes-name.ts';
import type { ControllerBus, Machine } from '../domain/machine.ts';
import { findGo } from '../testing/go/go-toolchain.ts';
import { judgeWithKubevirt, objections, type Verdict } from '../testing/kubevirt/judge.ts';
import {
  aMachine,
  debian,
  linuxBiosMachine,
  randomMachine,
  someOptions,
  windows2019,
  windowsEfiMachine,
} from '../testing/kubevirt/sample-machines.ts';
import { seededRandom } from '../testing/random.ts';
import { requirePresent } from '../testing/require-tool.ts';
import { renderMachineManifest } from './machine-manifest.ts';

function manifest(machine: Machine, options: Partial<MappingOptions> = {}): string {
  const mapped = mapMachine(machine, someOptions(options));
  const disks = machine.disks.map(({ virtualSizeBytes }, index) => ({
    fileName: `disk-${index}.qcow2`,
    virtualSizeBytes,
    format: 'qcow2' as const,
  }));
  return renderMachineManifest(mapped, disks);
}

/**
 * KubeVirt's verdicts on the objects of each manifest, whose last object is the machine. Starting the judge takes seconds, so all manifests are asked about at once.
 */
async function askKubevirt(manifests: readonly string[]): Promise<Verdict[][]> {
  const verdicts = await judgeWithKubevirt(manifests.join('---\n'));
  const byManifest: Verdict[][] = [];
  let current: Verdict[] = [];
  for (const verdict of verdicts) {
    current.push(verdict);
    if (verdict.kind !== 'VirtualMachine') continue;
    byManifest.push(current);
    current = [];
  }
  expect(current).toEqual([]);
  expect(byManifest).toHaveLength(manifests.length);
  return byManifest;
}

const buses: readonly ControllerBus[] = ['ide', 'scsi', 'sata', 'nvme', 'usb', 'virtio', 'fibre-channel'];
const onBus = (bus: ControllerBus, count: number): Partial<Machine> => ({
  controllers: [{ id: 'c', bus, model: bus === 'scsi' ? 'VirtIO-SCSI' : '' }],
  disks: Array.from({ length: count }, (_, unit) => ({
    id: `d${unit}`,
    name: `d${unit}`,
    virtualSizeBytes: 2 ** 30 + unit,
    controllerId: 'c',
    unit,
    serial: `SN ${unit}☃`,
  })),
});
const manyNics: Partial<Machine> = {
  nics: ['VmxNet3', 'E1000', 'E1000e', 'PCNet32', 'virtio', 'rtl8139', 'ne2k_pci', ''].map((model, index) => ({
    id: `n${index}`,
    model,
    network: index % 2 ? 'prod' : `net${index}`,
    macAddress: index === 3 ? 'ff:ff:ff:ff:ff:ff' : `02:00:00:00:00:0${index}`,
    isConnected: index % 3 > 0,
  })),
};
const networks = new Map([['prod', 'default/vlan10']]);

const random = seededRandom(20261122);
const randomMachines = Array.from({ length: 150 }, () => randomMachine(random));

const cases: Readonly<Record<string, readonly string[]>> = {
  'the two machines of the snapshots': [
    manifest(linuxBiosMachine, { targetName: 'web-01-old', namespace: 'shop', networks }),
    manifest(windowsEfiMachine, { targetName: 'sql-prod', storageClassName: 'longhorn' }),
  ],
  'every firmware with and without Secure Boot, TPM and UUID': (['bios', 'efi'] as const).flatMap((firmware) =>
    [true, false].flatMap((isSecureBoot) =>
      [true, false].flatMap((hasTpm) =>
        [{}, { biosUuid: '564d1f2e-0c3a-9b4d-5e6f-7a8b9c0d1e2f' }].map((uuid) =>
          manifest(aMachine({ firmware, isSecureBoot, hasTpm, ...uuid })),
        ),
      ),
    ),
  ),
  'every bus of a source, for each kind of guest': buses.flatMap((bus) =>
    [windows2019, debian, undefined].map((guestOs) =>
      manifest(aMachine({ ...onBus(bus, 3), ...(guestOs ? { guestOs } : {}) })),
    ),
  ),
  'every bus that a user may choose, with more disks than one SATA controller has ports': (
    ['virtio', 'sata', 'scsi'] as const
  ).map((diskBus) => manifest(aMachine(onBus('ide', 16)), { diskBus })),
  'many cards, some disconnected, some without a network': [
    manifest(aMachine(manyNics)),
    manifest(aMachine(manyNics), { networks }),
    manifest(aMachine(manyNics), { networks: new Map([...networks, ['net4', 'pod']]) }),
  ],
  'no card and no disk': [manifest(aMachine({ nics: [], disks: [] }))],
  'every run strategy': (['Halted', 'RerunOnFailure', 'Always', 'Manual'] as const).map((runStrategy) =>
    manifest(aMachine(), { runStrategy }),
  ),
  'odd names': ['Web_01 (old)', 'сервер', '', 'x'.repeat(200), '-.-', '0'].map((name) =>
    manifest(aMachine({ name }), { targetName: toKubernetesName(name) }),
  ),
  'a huge annotation and thousands of settings': [
    manifest(
      aMachine({
        annotation: '<\u0000"\u2028'.repeat(500_000),
        settings: Array.from({ length: 5_000 }, (_, index) => ({
          kind: 'vmw:ExtraConfig',
          name: `s${index}`,
          value: 'y'.repeat(300),
        })),
      }),
    ),
  ],
  '150 random machines': randomMachines.map((each) => manifest(each, { networks })),
};

/** What KubeVirt must say no to, so that its yes means something. */
const refused: Readonly<Record<string, readonly [manifest: string, expected: RegExp]>> = {
  'an unknown field': [withLine('machineType: q35'), /unknown field spec\.template\.spec\.machineType/],
  'a value of the wrong type': [
    withLine('terminationGracePeriodSeconds: soon'),
    /terminationGracePeriodSeconds.*integer/,
  ],
  'a host name that is none': [withLine('hostname: NOT_A_LABEL'), /hostname/],
  'an unknown field of a claim': [manifest(aMachine()).replace('volumeMode:', 'volumeKind:'), /volumeKind/],
  'a bus that it does not have': [manifest(aMachine()).replace('bus: sata', 'bus: ide'), /IDE bus is not supported/],
  'Secure Boot without System Management Mode': [
    manifest(windowsEfiMachine).replace(/ +smm:\n +enabled: true\n/, ''),
    /SMM/,
  ],
};

function withLine(line: string): string {
  return manifest(aMachine()).replace(/^( +)evictionStrategy:/m, `$1${line}\n$1evictionStrategy:`);
}

const hasGo = requirePresent('Go', findGo() !== undefined);

describe.skipIf(!hasGo)('KubeVirt, asked for its schema and its admission', () => {
  const verdicts = new Map<string, Verdict[]>();
  beforeAll(async () => {
    const asked = [...Object.values(cases).flat(), ...Object.values(refused).map(([text]) => text)];
    const answers = await askKubevirt(asked);
    for (const [index, text] of asked.entries()) verdicts.set(text, answers[index] ?? []);
  });
  const objectionsTo = (text: string) => (verdicts.get(text) ?? []).flatMap(objections);

  test.each(Object.entries(cases))('accepts %s', (_, manifests) => {
    for (const each of manifests) expect(objectionsTo(each), each.slice(0, 2_000)).toEqual([]);
  });

  test.each(Object.entries(refused))('refuses %s', (_, [text, expected]) => {
    expect(objectionsTo(text).join('\n')).toMatch(expected);
  });

  test('reads whatever a source said as it was, although Go has another idea of YAML than we', () => {
    for (const machine of randomMachines) {
      const read = verdicts.get(manifest(machine, { networks }))?.at(-1)?.annotations;
      expect(read).toEqual(mapMachine(machine, someOptions()).hardware.annotations);
    }
  });
});
