import type { Setting } from '../../domain/machine.ts';
import { attributeIn, ovfKind, ovfText, trimmed, VMW_NAMESPACE } from './ovf-elements.ts';
import { productSettings } from './properties.ts';
import type { XmlElement } from './xml-tree.ts';

/** Longest text kept of one setting. A licence can have megabytes, which nobody wants in a report. */
const MAX_VALUE_CHARACTERS = 64 * 1024;

/** VMware's key-value pairs of a hardware section or item: `vmw:Config`, and `vmw:ExtraConfig`, which is what stood in the .vmx file. */
export function vmwSettings(parent: XmlElement): Setting[] {
  return parent.children.flatMap((child) => {
    if (child.namespace !== VMW_NAMESPACE || (child.name !== 'Config' && child.name !== 'ExtraConfig')) return [];
    const name = trimmed(attributeIn(child, VMW_NAMESPACE, 'key'));
    if (name === undefined) return [];
    return [{ kind: `vmw:${child.name}`, name, value: cut(attributeIn(child, VMW_NAMESPACE, 'value') ?? '') }];
  });
}

/** Product, properties and licences of a machine. */
export function sectionSettings(system: XmlElement, deployment: string | undefined): Setting[] {
  return system.children.flatMap((section) => {
    const kind = ovfKind(section);
    if (kind === 'ProductSection') return productSettings(section, deployment).map(withCutValue);
    if (kind !== 'EulaSection') return [];
    const text = ovfText(section, 'License');
    return text === undefined ? [] : [{ kind: 'Eula', name: 'License', value: cut(text) }];
  });
}

/** Case-insensitive look-up of VMware's settings; `vmw:Config` wins. */
export function findSetting(settings: readonly Setting[], name: string): string | undefined {
  const wanted = name.toLowerCase();
  const found = settings.filter((setting) => setting.name.toLowerCase() === wanted);
  return (found.find((setting) => setting.kind === 'vmw:Config') ?? found[0])?.value;
}

function withCutValue(setting: Setting): Setting {
  return { ...setting, value: cut(setting.value) };
}

function cut(value: string): string {
  if (value.length <= MAX_VALUE_CHARACTERS) return value;
  return `${value.slice(0, MAX_VALUE_CHARACTERS)}... (${value.length} characters)`;
}
