import {
  isCim,
  isTrue,
  malformed,
  ovfAttribute,
  ovfKind,
  parseSmallCount,
  trimmed,
  VMW_NAMESPACE,
} from './ovf-elements.ts';
import { appliesTo, configurationsOf } from './properties.ts';
import type { XmlElement } from './xml-tree.ts';

/** One device of a VirtualHardwareSection: OVF 1.x `Item`, 2.x also `StorageItem` and `EthernetPortItem`. */
export interface Item {
  readonly element: XmlElement;
  /** Resource type of CIM_ResourceAllocationSettingData: 3 processor, 4 memory, 17 disk, ... */
  readonly resourceType: number;
  /** Unique within the hardware section; empty where the writer gave none. */
  readonly instanceId: string;
  readonly name: string;
  /** What the writer calls the model; empty for none. May list several, best first. */
  readonly subType: string;
  /** CIM fields by lower-case name, since writers differ in case (`InstanceID`, `InstanceId`). */
  readonly fields: ReadonlyMap<string, string>;
}

const ITEM_KINDS = new Set(['Item', 'StorageItem', 'EthernetPortItem']);
const MAX_RESOURCE_TYPE = 65_535;

/**
 * The items that hold for a deployment option, in document order. Left out are the ends of ranges (`ovf:bound`) and, of two items with the same instance
 * id, the general one where the option has its own (DSP0243, DeploymentOptionSection).
 */
export function parseItems(hardware: XmlElement, deployment: string | undefined): Item[] {
  const elements = hardware.children.filter((child) => {
    const kind = ovfKind(child);
    return kind !== undefined && ITEM_KINDS.has(kind) && appliesTo(child, deployment) && isNormal(child);
  });
  const items = elements.map(parseItem);
  const specific = new Set(
    items
      .filter((item) => item.instanceId !== '' && configurationsOf(item.element).length > 0)
      .map((item) => item.instanceId),
  );
  return items.filter((item) => configurationsOf(item.element).length > 0 || !specific.has(item.instanceId));
}

export function field(item: Item, name: string): string | undefined {
  return trimmed(item.fields.get(name.toLowerCase()));
}

/** Text of a `vmw:` child such as CoresPerSocket. */
export function vmwField(item: Item, name: string): string | undefined {
  return trimmed(item.element.children.find((child) => child.namespace === VMW_NAMESPACE && child.name === name)?.text);
}

/** False when the writer says that the device starts disconnected. */
export function isConnected(item: Item): boolean {
  const automatic = field(item, 'AutomaticAllocation');
  return automatic === undefined || isTrue(automatic);
}

function isNormal(element: XmlElement): boolean {
  const bound = ovfAttribute(element, 'bound') ?? 'normal';
  return bound === 'normal';
}

function parseItem(element: XmlElement): Item {
  const fields = new Map<string, string>();
  for (const child of element.children) {
    const key = child.name.toLowerCase();
    if (isCim(child.namespace) && !fields.has(key)) fields.set(key, child.text);
  }
  const type = trimmed(fields.get('resourcetype'));
  if (type === undefined) throw malformed(element, 'a device without resource type');
  const name = fields.get('elementname') ?? fields.get('caption') ?? fields.get('description');
  return {
    element,
    resourceType: parseSmallCount(type, element, 'the resource type', MAX_RESOURCE_TYPE),
    instanceId: trimmed(fields.get('instanceid')) ?? '',
    name: trimmed(name) ?? '',
    subType: trimmed(fields.get('resourcesubtype')) ?? '',
    fields,
  };
}
