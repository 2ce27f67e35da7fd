import { SaxesParser } from 'saxes';
import { ProblemError } from '../../domain/problems.ts';
import { decodeXml } from './xml-encoding.ts';

/** An element with names resolved: prefixes are gone. */
export interface XmlElement {
  readonly name: string;
  /** Namespace URI; empty for none. */
  readonly namespace: string;
  readonly attributes: readonly XmlAttribute[];
  readonly children: readonly XmlElement[];
  /** The text directly inside, pieces between child elements joined. */
  readonly text: string;
  /** Line in the document, for messages. */
  readonly line: number;
}

export interface XmlAttribute {
  readonly name: string;
  readonly namespace: string;
  readonly value: string;
}

const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 64;
const MAX_ELEMENTS = 200_000;
const MAX_ATTRIBUTES = 256;
const PIECE_CHARACTERS = 64 * 1024;

interface OpenElement extends XmlElement {
  readonly children: XmlElement[];
  text: string;
}

/**
 * Parses a document into a tree of bounded size. Nothing outside the document is ever read.
 * @throws ProblemError `OvfMalformed`, `OvfTooLarge`, `OvfEntityRefused` for any document type declaration, the only place where entities can be defined
 */
export function parseXmlTree(xml: Uint8Array | string, name: string): XmlElement {
  if (xml.length > MAX_DOCUMENT_BYTES) {
    throw new ProblemError('OvfTooLarge', `${name} has ${xml.length} bytes; at most ${MAX_DOCUMENT_BYTES} are read`);
  }
  const text = typeof xml === 'string' ? xml.replace(/^\uFEFF/, '') : decodeXml(xml, name);
  const parser = new SaxesParser({ xmlns: true });
  const open: OpenElement[] = [];
  let root: XmlElement | undefined;
  let elements = 0;
  let attributes = 0;
  const tooLarge = (what: string) => new ProblemError('OvfTooLarge', `${name}, line ${parser.line}: ${what}`);

  parser.on('error', (cause) => {
    throw new ProblemError('OvfMalformed', `${name} is not well-formed XML: ${cause.message.slice(0, 300)}`, { cause });
  });
  parser.on('doctype', () => {
    throw new ProblemError('OvfEntityRefused', `${name}, line ${parser.line}: a document type declaration`);
  });
  parser.on('opentagstart', () => {
    attributes = 0;
    elements += 1;
    if (elements > MAX_ELEMENTS) throw tooLarge(`more than ${MAX_ELEMENTS} elements`);
    if (open.length >= MAX_DEPTH) throw tooLarge(`elements nested more than ${MAX_DEPTH} deep`);
  });
  parser.on('attribute', () => {
    attributes += 1;
    if (attributes > MAX_ATTRIBUTES) throw tooLarge(`an element with more than ${MAX_ATTRIBUTES} attributes`);
  });
  parser.on('opentag', (tag) => {
    open.push({
      name: tag.local,
      namespace: tag.uri,
      attributes: Object.values(tag.attributes)
        .filter((attribute) => attribute.prefix !== 'xmlns' && attribute.name !== 'xmlns')
        .map((attribute) => ({ name: attribute.local, namespace: attribute.uri, value: attribute.value })),
      children: [],
      text: '',
      line: parser.line,
    });
  });
  const appendText = (piece: string) => {
    const element = open.at(-1);
    if (element) element.text += piece;
  };
  parser.on('text', appendText);
  parser.on('cdata', appendText);
  parser.on('closetag', () => {
    const element = open.pop();
    const parent = open.at(-1);
    if (element && parent) parent.children.push(element);
    else root = element;
  });

  // In pieces, so that a limit ends the work early.
  for (let from = 0; from < text.length; from += PIECE_CHARACTERS)
    parser.write(text.slice(from, from + PIECE_CHARACTERS));
  parser.close();
  if (!root) throw new ProblemError('OvfMalformed', `${name} holds no element`);
  return root;
}
