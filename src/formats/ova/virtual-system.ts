import type { Machine, Setting } from '../../domain/machine.ts';
import { parseControllers } from './controllers.ts';
import { hasTpmItem, parseNics, parseOtherDevices } from './devices.ts';
import { parseGuestOs } from './guest-os.ts';
import { type Item, parseItems } from './items.ts';
import { type DiskLookup, parseMachineDisks } from './machine-disks.ts';
import {
  attributeIn,
  isCim,
  isTrue,
  malformed,
  ovfAttribute,
  ovfChild,
  ovfChildren,
  ovfText,
  quote,
  trimmed,
  VMW_NAMESPACE,
} from './ovf-elements.ts';
import type { OvfMachine } from './ovf-package.ts';
import { parseMemory, parseProcessors } from './processor.ts';
import { findSetting, sectionSettings, vmwSettings } from './settings.ts';
import { parseOvirtFirmware, parseVirtualBoxMachine } from './virtual-box.ts';
import type { XmlElement } from './xml-tree.ts';

export interface VirtualSystemOptions {
  readonly lookup: DiskLookup;
  readonly deployment: string | undefined;
  /** Place among the machines of the descriptor, from 1: the id of one that has none. */
  readonly number: number;
}

/** Reads one VirtualSystem. @throws ProblemError `OvfMalformed`, `DiskTooLarge` */
export function parseVirtualSystem(system: XmlElement, options: VirtualSystemOptions): OvfMachine {
  const hardware = chooseHardware(system);
  const ovfId = trimmed(ovfAttribute(system, 'id'));
  const name =
    ovfText(system, 'Name') ?? systemField(hardware, 'VirtualSystemIdentifier') ?? ovfId ?? `machine-${options.number}`;
  const items = parseItems(hardware, options.deployment);
  const config = vmwSettings(hardware);
  const virtualBox = parseVirtualBoxMachine(system);
  const ovirt = parseOvirtFirmware(system);
  const firmware = parseFirmware(config, virtualBox?.firmware ?? ovirt?.firmware);
  const memoryBytes = parseMemory(items, name);
  if (memoryBytes === undefined) throw malformed(hardware, `the machine ${quote(name)} says nothing about its memory`);

  const controllers = parseControllers(items);
  const disks = parseMachineDisks(items, controllers, options.lookup, parseBootOrder(system, config));
  const annotationSection = ovfChild(system, 'AnnotationSection');
  const annotation = annotationSection && ovfText(annotationSection, 'Annotation');
  const osSection = ovfChild(system, 'OperatingSystemSection');
  const guestOs = osSection && parseGuestOs(osSection);
  const biosUuid = parseUuid(findSetting(config, 'uuid.bios') ?? findSetting(config, 'uuid') ?? virtualBox?.uuid);
  const machine: Machine = {
    id: ovfId ?? name,
    name,
    ...(annotation === undefined ? {} : { annotation }),
    cpu: parseProcessors(items, config),
    memoryBytes,
    firmware,
    isSecureBoot: isSecureBoot(config, firmware) || ovirt?.isSecureBoot === true,
    hasTpm: hasTpmItem(items) || isTrue(findSetting(config, 'vtpm.present')) || virtualBox?.hasTpm === true,
    ...(guestOs ? { guestOs } : {}),
    ...(biosUuid === undefined ? {} : { biosUuid }),
    controllers,
    disks: disks.map(({ disk }) => disk),
    nics: parseNics(items),
    otherDevices: parseOtherDevices(items),
    settings: [
      ...systemSettings(hardware),
      ...config,
      ...itemSettings(items),
      ...sectionSettings(system, options.deployment),
    ],
  };
  return { machine, disks: new Map(disks.map(({ disk, source }) => [disk.id, source])) };
}

/** Where the writer offers several kinds of hardware, the first that is for a hypervisor we know, else the first. */
function chooseHardware(system: XmlElement): XmlElement {
  const sections = ovfChildren(system, 'VirtualHardwareSection');
  const known = sections.find((section) => /^(vmx-|virtualbox)/i.test(systemField(section, 'VirtualSystemType') ?? ''));
  const hardware = known ?? sections[0];
  if (!hardware)
    throw malformed(system, `the machine ${quote(ovfAttribute(system, 'id') ?? '')} has no hardware section`);
  return hardware;
}

/** A field of the hardware section's vssd block. */
function systemField(hardware: XmlElement, name: string): string | undefined {
  const system = ovfChild(hardware, 'System');
  return trimmed(system?.children.find((child) => isCim(child.namespace) && child.name === name)?.text);
}

function systemSettings(hardware: XmlElement): Setting[] {
  const value = systemField(hardware, 'VirtualSystemType');
  return value === undefined ? [] : [{ kind: 'System', name: 'VirtualSystemType', value }];
}

/** Settings of single devices, under the device's name. */
function itemSettings(items: readonly Item[]): Setting[] {
  return items.flatMap((item) =>
    vmwSettings(item.element).map((setting) => ({
      ...setting,
      name: `${item.name || `device ${item.instanceId}`}: ${setting.name}`,
    })),
  );
}

function parseFirmware(config: readonly Setting[], otherwise: 'bios' | 'efi' | undefined): 'bios' | 'efi' {
  const firmware = findSetting(config, 'firmware')?.trim().toLowerCase();
  if (firmware === undefined) return otherwise ?? 'bios';
  return firmware === 'efi' ? 'efi' : 'bios';
}

function isSecureBoot(config: readonly Setting[], firmware: 'bios' | 'efi'): boolean {
  if (firmware !== 'efi') return false; // a BIOS has none, whatever is left in the settings
  return (
    isTrue(findSetting(config, 'bootOptions.efiSecureBootEnabled')) ||
    isTrue(findSetting(config, 'uefi.secureBoot.enabled'))
  );
}

/** VMware names the disks to boot by instance id (`vmw:BootOrderSection`) or, as in the .vmx, by place: `bios.hddOrder = "scsi0:1,scsi0:0"`. */
function parseBootOrder(system: XmlElement, config: readonly Setting[]): string[] {
  const sections = system.children.filter(
    (child) => child.namespace === VMW_NAMESPACE && child.name === 'BootOrderSection',
  );
  const written = sections
    .filter((section) => (attributeIn(section, VMW_NAMESPACE, 'type') ?? 'disk') === 'disk')
    .map((section) => attributeIn(section, VMW_NAMESPACE, 'instanceId') ?? '')
    .join(' ');
  const text = written.trim() === '' ? (findSetting(config, 'bios.hddOrder') ?? '') : written;
  return [...new Set(text.toLowerCase().split(/[\s,]+/))].filter((id) => id !== '');
}

/** Canonical form of `56 4d 12 ...-...` (.vmx) and `{564d12...}` (VirtualBox); undefined for anything else. */
function parseUuid(text: string | undefined): string | undefined {
  const digits = (text ?? '').toLowerCase().replace(/[{}\s-]/g, '');
  if (!/^[0-9a-f]{32}$/.test(digits)) return undefined;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
