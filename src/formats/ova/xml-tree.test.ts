import { describe, expect, it } from 'vitest';
import { parseXmlTree } from './xml-tree.ts';

const problem = (code: string) => expect.objectContaining({ code });
const parse = (xml: Uint8Array | string) => parseXmlTree(xml, 'x.ovf');

describe('parseXmlTree', () => {
  it('resolves namespaces by URI whatever the prefix, and leaves declarations out of the attributes', () => {
    const root = parse('<a:r xmlns:a="urn:1" xmlns="urn:2" a:k="v" k="w"><c>one<d/>two<![CDATA[ <3]]></c></a:r>');
    expect(root).toMatchObject({ name: 'r', namespace: 'urn:1' });
    expect(root.attributes).toEqual([
      { name: 'k', namespace: 'urn:1', value: 'v' },
      { name: 'k', namespace: '', value: 'w' },
    ]);
    expect(root.children[0]).toMatchObject({ name: 'c', namespace: 'urn:2', text: 'onetwo <3', line: 1 });
  });

  it.each<[string, (text: string) => Uint8Array]>([
    ['UTF-8', (text) => Buffer.from(text)],
    ['UTF-8 with BOM', (text) => Buffer.from(`\uFEFF${text}`)],
    ['UTF-16 little endian with BOM', (text) => Buffer.from(`\uFEFF${text}`, 'utf16le')],
    ['UTF-16 little endian', (text) => Buffer.from(text, 'utf16le')],
    ['UTF-16 big endian with BOM', (text) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16()],
    ['UTF-16 big endian', (text) => Buffer.from(text, 'utf16le').swap16()],
    ['ISO-8859-1', (text) => Buffer.from(`<?xml version="1.0" encoding="ISO-8859-1"?>${text}`, 'latin1')],
  ])('reads %s', (_name, encode) => {
    expect(parse(encode('<r>Größe</r>')).text).toBe('Größe');
  });

  it.each<[string, Uint8Array | string]>([
    ['nothing', ''],
    ['text', 'hello'],
    ['an unclosed element', '<a><b></b>'],
    ['crossed elements', '<a><b></a></b>'],
    ['an unknown prefix', '<q:a/>'],
    ['an undefined entity', '<a>&evil;</a>'],
    ['a repeated attribute', '<a k="1" k="2"/>'],
    ['two roots', '<a/><b/>'],
    ['invalid UTF-8', Uint8Array.of(0x3c, 0x61, 0x3e, 0xff, 0xfe)],
    ['an encoding that nobody uses', Buffer.from('<?xml version="1.0" encoding="EBCDIC"?><a/>')],
    ['a control character', '<a>\u0001</a>'],
  ])('refuses %s', (_name, xml) => {
    expect(() => parse(xml)).toThrow(problem('OvfMalformed'));
  });
});

describe('parseXmlTree on hostile documents', () => {
  it.each([
    ['an external entity', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
    ['an external subset', '<!DOCTYPE a SYSTEM "http://host/evil.dtd"><a/>'],
    ['a parameter entity', '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://host/"> %x;]><a/>'],
    [
      'a billion laughs',
      `<!DOCTYPE a [<!ENTITY l0 "lol">${Array.from({ length: 20 }, (_, index) => `<!ENTITY l${index + 1} "${`&l${index};`.repeat(10)}">`).join('')}]><a>&l20;</a>`,
    ],
    ['an empty doctype', '<!DOCTYPE a><a/>'],
  ])('refuses %s', (_name, xml) => {
    expect(() => parse(xml)).toThrow(problem('OvfEntityRefused'));
  });

  it('refuses 100 MB without looking inside', () => {
    const started = performance.now();
    expect(() => parse(new Uint8Array(100 * 1024 * 1024))).toThrow(problem('OvfTooLarge'));
    expect(performance.now() - started).toBeLessThan(500);
  });

  it.each<[string, string]>([
    ['elements nested 10,000 deep', '<a>'.repeat(10_000)],
    ['300,000 elements', `<a>${'<b/>'.repeat(300_000)}</a>`],
    ['100,000 attributes', `<a ${Array.from({ length: 100_000 }, (_, index) => `k${index}="v"`).join(' ')}/>`],
    ['100,000 namespaces', `<a ${Array.from({ length: 100_000 }, (_, index) => `xmlns:k${index}="v"`).join(' ')}/>`],
  ])('refuses %s', (_name, xml) => {
    expect(() => parse(xml)).toThrow(problem('OvfTooLarge'));
  });

  it('accepts the depth and attributes of real descriptors', () => {
    expect(parse(`${'<a>'.repeat(64)}${'</a>'.repeat(64)}`).name).toBe('a');
    expect(
      parse(`<a ${Array.from({ length: 256 }, (_, index) => `k${index}="v"`).join(' ')}/>`).attributes,
    ).toHaveLength(256);
  });

  it('shortens what it quotes of the document', () => {
    expect(() => parse(`<a>&${'x'.repeat(1_000_000)};</a>`)).toThrow(/^.{0,500}$/s);
  });
});
