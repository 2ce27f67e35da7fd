import type { Setting } from '../../domain/machine.ts';
import { isTrue, ovfAttribute, ovfChildren, ovfKind, ovfText } from './ovf-elements.ts';
import type { XmlElement } from './xml-tree.ts';

/** A ProductSection's property with the value that the chosen deployment option gives it. */
export interface OvfProperty {
  readonly key: string;
  /** `class.key.instance`, the name the guest sees. */
  readonly qualifiedKey: string;
  readonly value: string;
  readonly isPassword: boolean;
}

/**
 * Values by name (`key` and `class.key.instance`) of every property in the document: those of a collection apply to the machines in it. Of several with the
 * same name the first that has a value counts.
 */
export function findPropertyValues(root: XmlElement, deployment: string | undefined): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const visit = (element: XmlElement) => {
    for (const child of element.children) {
      const kind = ovfKind(child);
      if (kind === 'VirtualSystem' || kind === 'VirtualSystemCollection') visit(child);
      if (kind !== 'ProductSection') continue;
      for (const property of propertiesOf(child, deployment)) {
        if (property.value === '') continue;
        if (!values.has(property.key)) values.set(property.key, property.value);
        if (!values.has(property.qualifiedKey)) values.set(property.qualifiedKey, property.value);
      }
    }
  };
  visit(root);
  return values;
}

export function propertiesOf(section: XmlElement, deployment: string | undefined): OvfProperty[] {
  const before = ovfAttribute(section, 'class');
  const after = ovfAttribute(section, 'instance');
  return ovfChildren(section, 'Property')
    .filter((property) => appliesTo(property, deployment))
    .flatMap((property) => {
      const key = ovfAttribute(property, 'key')?.trim();
      if (!key) return [];
      return [
        {
          key,
          qualifiedKey: [before, key, after].filter((part) => part !== undefined && part !== '').join('.'),
          value: propertyValue(property, deployment),
          isPassword: isTrue(ovfAttribute(property, 'password')),
        },
      ];
    });
}

/** True when an element has no `ovf:configuration` or it lists the chosen deployment option. */
export function appliesTo(element: XmlElement, deployment: string | undefined): boolean {
  const configurations = configurationsOf(element);
  return configurations.length === 0 || (deployment !== undefined && configurations.includes(deployment));
}

export function configurationsOf(element: XmlElement): string[] {
  return (ovfAttribute(element, 'configuration') ?? '').split(/\s+/).filter((id) => id !== '');
}

const PRODUCT_FIELDS = ['Product', 'Vendor', 'Version', 'FullVersion', 'ProductUrl', 'VendorUrl', 'AppUrl'];

/** A ProductSection as settings. Values of password properties stay out: settings end up in reports. */
export function productSettings(section: XmlElement, deployment: string | undefined): Setting[] {
  const product = PRODUCT_FIELDS.flatMap((name) => {
    const value = ovfText(section, name);
    return value === undefined ? [] : [{ kind: 'Product', name, value }];
  });
  const properties = propertiesOf(section, deployment).map((property) => ({
    kind: 'Property',
    name: property.qualifiedKey,
    value: property.isPassword ? '(password, not kept)' : property.value,
  }));
  return [...product, ...properties];
}

/** A `Value` for the chosen option, else the default, which OVF 1.x writes as attribute and its drafts as element. */
function propertyValue(property: XmlElement, deployment: string | undefined): string {
  const values = ovfChildren(property, 'Value').filter((value) => appliesTo(value, deployment));
  const specific = values.find((value) => configurationsOf(value).length > 0) ?? values[0];
  return (
    (specific && ovfAttribute(specific, 'value')) ??
    ovfAttribute(property, 'value') ??
    ovfAttribute(property, 'defaultValue') ??
    ovfText(property, 'Default') ??
    ''
  );
}
