import { dropped, type FidelityRow } from './fidelity.ts';
import type { Finding } from './finding.ts';
import type { Machine, OtherDevice } from './machine.ts';
import { mapAnnotations } from './mapping/map-annotations.ts';
import { mapDisks } from './mapping/map-disks.ts';
import { mapNics } from './mapping/map-nics.ts';
import { mapPlatform } from './mapping/map-platform.ts';
import type { MappedMachine, MappingOptions } from './mapping/mapped-machine.ts';

export type { FidelityRow } from './fidelity.ts';
export type { MappedMachine, MappingOptions, RunStrategy } from './mapping/mapped-machine.ts';

/**
 * The one mapping from a source's hardware to KubeVirt's. Everything that the machine says appears in `fidelity` as kept, changed or dropped; what a person
 * should know before the import appears in `findings` too.
 */
export function mapMachine(machine: Machine, options: MappingOptions): MappedMachine {
  const platform = mapPlatform(machine);
  const disks = mapDisks(machine, options);
  const nics = mapNics(machine, options);
  const { annotations, rows } = mapAnnotations(machine, options.targetName);
  return {
    hardware: {
      name: options.targetName,
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
      ...(options.storageClassName === undefined ? {} : { storageClassName: options.storageClassName }),
      runStrategy: options.runStrategy ?? 'Halted',
      annotations,
      platform: platform.platform,
      disks: disks.disks,
      nics: nics.nics,
    },
    fidelity: [...platform.rows, ...disks.rows, ...nics.rows, ...machine.otherDevices.map(deviceRow), ...rows],
    findings: [...disks.findings, ...nics.findings, ...platform.findings, ...deviceFindings(machine.otherDevices)],
  };
}

const deviceReasons: readonly (readonly [kind: RegExp, reason: string])[] = [
  [/cd|dvd|optical/i, 'removable media stay on the source; attach an image in the cluster where one is needed'],
  [/floppy/i, 'KubeVirt has no floppy drive'],
  [/serial|parallel/i, 'it ends on the source; KubeVirt has a serial console of its own'],
  [/video|graphic|display|svga/i, 'KubeVirt has a graphics card of its own'],
  [/sound|audio/i, 'KubeVirt adds sound only on request'],
  [/usb/i, 'KubeVirt makes its own USB controller where a device needs one'],
  [/pci|passthrough|gpu/i, 'it is a piece of the old host'],
];

function deviceRow(device: OtherDevice): FidelityRow {
  const reason = deviceReasons.find(([kind]) => kind.test(device.kind) || kind.test(device.name))?.[1];
  return dropped(`device[${device.kind} ${device.name}]`, device.name, reason ?? 'it has no counterpart in KubeVirt');
}

function deviceFindings(devices: readonly OtherDevice[]): Finding[] {
  if (devices.length === 0) return [];
  const names = devices.slice(0, 10).map((each) => each.name || each.kind);
  const more = devices.length > names.length ? ` and ${devices.length - names.length} more` : '';
  return [
    {
      severity: 'note',
      code: 'HardwareDropped',
      message: `${devices.length} device${devices.length === 1 ? ' is' : 's are'} left out: ${names.join(', ')}${more}.`,
      subject: 'devices',
    },
  ];
}
