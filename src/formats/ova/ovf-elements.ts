import { ProblemError } from '../../domain/problems.ts';
import type { XmlElement } from './xml-tree.ts';

/** How elements of an OVF descriptor are found and read, whichever version, prefix or old form the writer used. */
export const VMW_NAMESPACE = 'http://www.vmware.com/schema/ovf';
export const VBOX_NAMESPACE = 'http://www.virtualbox.org/ovf/machine';
const XSI_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';
/** rasd, vssd, sasd, epasd: by their common start, since writers misspell the rest. */
const CIM_NAMESPACE_START = 'http://schemas.dmtf.org/wbem/wscim/1/';

const VERSIONS: ReadonlyMap<string, '0.9' | '1.x' | '2.x'> = new Map([
  ['http://www.vmware.com/schema/ovf/1/envelope', '0.9'],
  ['http://schemas.dmtf.org/ovf/1/envelope', '1.x'],
  ['http://schemas.dmtf.org/ovf/envelope/1', '1.x'],
  ['http://schemas.dmtf.org/ovf/envelope/2', '2.x'],
]);

export function ovfVersion(namespace: string): '0.9' | '1.x' | '2.x' | undefined {
  // oVirt writes a slash at the end.
  return VERSIONS.get(namespace.replace(/\/$/, ''));
}

/** OVF's own vocabulary. Writers that declare no default namespace (oVirt) leave some of its elements without any. */
export function isOvf(namespace: string): boolean {
  return namespace === '' || ovfVersion(namespace) !== undefined;
}

export function isCim(namespace: string): boolean {
  return namespace.startsWith(CIM_NAMESPACE_START);
}

/**
 * The kind of an OVF element, undefined for a foreign one. Before OVF 1.0 sections were `<Section xsi:type="ovf:DiskSection_Type">` and machines
 * `<Content xsi:type="ovf:VirtualSystem_Type">`.
 */
export function ovfKind(element: XmlElement): string | undefined {
  if (!isOvf(element.namespace)) return undefined;
  if (element.name !== 'Section' && element.name !== 'Content') return element.name;
  const type = element.attributes.find(
    (attribute) => attribute.name === 'type' && attribute.namespace === XSI_NAMESPACE,
  );
  return type?.value.replace(/^.*:/, '').replace(/_Type$/, '') ?? element.name;
}

export function ovfChildren(element: XmlElement, kind: string): XmlElement[] {
  return element.children.filter((child) => ovfKind(child) === kind);
}

export function ovfChild(element: XmlElement, kind: string): XmlElement | undefined {
  return element.children.find((child) => ovfKind(child) === kind);
}

/** Trimmed text of a child; undefined when it is missing or empty. */
export function ovfText(element: XmlElement, kind: string): string | undefined {
  return trimmed(ovfChild(element, kind)?.text);
}

/** Value of an OVF attribute, also where the writer forgot its prefix. */
export function ovfAttribute(element: XmlElement, name: string): string | undefined {
  const found =
    element.attributes.find((attribute) => attribute.name === name && ovfVersion(attribute.namespace) !== undefined) ??
    element.attributes.find((attribute) => attribute.name === name && attribute.namespace === '');
  return found?.value;
}

export function attributeIn(element: XmlElement, namespace: string, name: string): string | undefined {
  const found =
    element.attributes.find((attribute) => attribute.name === name && attribute.namespace === namespace) ??
    element.attributes.find((attribute) => attribute.name === name && attribute.namespace === '');
  return found?.value;
}

export function isTrue(text: string | undefined): boolean {
  const word = text?.trim().toLowerCase();
  return word === 'true' || word === '1';
}

export function trimmed(text: string | undefined): string | undefined {
  const result = text?.trim();
  return result === '' ? undefined : result;
}

/** Where an element stands, for messages. */
export function place(element: XmlElement): string {
  return `line ${element.line}, ${element.name.slice(0, 120)}`;
}

export function malformed(element: XmlElement, what: string): ProblemError {
  return new ProblemError('OvfMalformed', `${place(element)}: ${what}`, { context: { line: element.line } });
}

/** Quotes text from the document, cut to a length that a message bears. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}

/** A whole number from the document that fits in 64 bits. @throws ProblemError `OvfMalformed` */
export function parseCount(text: string, element: XmlElement, what: string): bigint {
  const digits = text.trim();
  const value = /^\+?[0-9]{1,20}$/.test(digits) ? BigInt(digits) : undefined;
  if (value === undefined || value >= 1n << 64n)
    throw malformed(element, `${what} ${quote(text)} is not a whole number`);
  return value;
}

/** The same, where only small numbers make sense. */
export function parseSmallCount(text: string, element: XmlElement, what: string, maximum: number): number {
  const value = parseCount(text, element, what);
  if (value > BigInt(maximum)) throw malformed(element, `${what} ${value} is more than ${maximum}`);
  return Number(value);
}
