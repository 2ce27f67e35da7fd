import { ovfText, trimmed, VBOX_NAMESPACE } from './ovf-elements.ts';
import type { XmlElement } from './xml-tree.ts';

/** What only VirtualBox's own section tells: `vbox:Machine`, the machine's settings file inside the OVF. */
export interface VirtualBoxMachine {
  readonly firmware?: 'bios' | 'efi';
  readonly hasTpm: boolean;
  readonly uuid?: string;
}

export function parseVirtualBoxMachine(system: XmlElement): VirtualBoxMachine | undefined {
  const machine = system.children.find((child) => child.namespace === VBOX_NAMESPACE && child.name === 'Machine');
  if (!machine) return undefined;
  const hardware = childNamed(machine, 'Hardware');
  const firmware = attributeValue(childNamed(hardware, 'Firmware'), 'type')?.toUpperCase();
  const tpm = attributeValue(childNamed(hardware, 'TrustedPlatformModule'), 'type');
  const uuid = attributeValue(hardware, 'uuid') ?? attributeValue(machine, 'uuid');
  return {
    ...(firmware === undefined ? {} : { firmware: firmware.startsWith('EFI') ? 'efi' : 'bios' }),
    hasTpm: tpm !== undefined && tpm.toLowerCase() !== 'none',
    ...(uuid === undefined ? {} : { uuid }),
  };
}

/** oVirt's BiosType: 3 is Q35 with OVMF, 4 the same with Secure Boot. */
export function parseOvirtFirmware(
  system: XmlElement,
): { firmware: 'bios' | 'efi'; isSecureBoot: boolean } | undefined {
  const type = ovfText(system, 'BiosType');
  if (type === undefined) return undefined;
  return { firmware: type === '3' || type === '4' ? 'efi' : 'bios', isSecureBoot: type === '4' };
}

/** VirtualBox leaves the namespace of the inner elements to whatever the document's default is. */
function childNamed(parent: XmlElement | undefined, name: string): XmlElement | undefined {
  return parent?.children.find((child) => child.name === name);
}

function attributeValue(element: XmlElement | undefined, name: string): string | undefined {
  return trimmed(element?.attributes.find((attribute) => attribute.name === name)?.value);
}
