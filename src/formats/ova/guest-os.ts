import type { GuestOs } from '../../domain/machine.ts';
import { attributeIn, ovfAttribute, ovfText, trimmed, VBOX_NAMESPACE, VMW_NAMESPACE } from './ovf-elements.ts';
import type { XmlElement } from './xml-tree.ts';

/** Values of CIM_OperatingSystem.OsType. */
const WINDOWS_TYPES = numbers([15, 19], [58, 58], [63, 63], [67, 67], [69, 77], [103, 103], [105, 105], [111, 121]);
const LINUX_TYPES = numbers([36, 36], [79, 80], [82, 101], [106, 109]);

const WINDOWS_WORDS = /windows|^win(?!e\b)/i;
const LINUX_WORDS =
  /linux|ubuntu|debian|centos|rhel|red.?hat|fedora|suse|sles|\bsled|opensuse|mandr|mageia|gentoo|photon|coreos|flatcar|asianux|rocky|alma|oracle|amazon|arch_|turbo/i;

export function parseGuestOs(section: XmlElement): GuestOs | undefined {
  const number = trimmed(ovfAttribute(section, 'id'));
  const vmware = trimmed(attributeIn(section, VMW_NAMESPACE, 'osType'));
  const virtualBox = trimmed(
    section.children.find((child) => child.namespace === VBOX_NAMESPACE && child.name === 'OSType')?.text,
  );
  const description = ovfText(section, 'Description');
  const id = vmware ?? virtualBox ?? number ?? description;
  if (id === undefined) return undefined;
  return {
    family: familyOf([vmware, virtualBox, description], number),
    id,
    ...(description === undefined ? {} : { description }),
  };
}

function familyOf(words: readonly (string | undefined)[], number: string | undefined): GuestOs['family'] {
  for (const word of words) {
    if (word === undefined) continue;
    if (WINDOWS_WORDS.test(word)) return 'windows';
    if (LINUX_WORDS.test(word)) return 'linux';
  }
  const type = Number(number);
  if (WINDOWS_TYPES.has(type)) return 'windows';
  return LINUX_TYPES.has(type) ? 'linux' : 'other';
}

function numbers(...ranges: readonly (readonly [number, number])[]): ReadonlySet<number> {
  return new Set(
    ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index)),
  );
}
