import { describe, expect, it } from 'vitest';
import { parseManifest } from './manifest.ts';

const sha1 = 'a'.repeat(40);
const sha256 = 'b'.repeat(64);
const sha512 = 'c'.repeat(128);
const parse = (text: string) => parseManifest(Buffer.from(text), { name: 'x.mf' });

describe('parseManifest', () => {
  it.each([
    ["ovftool's form", `SHA256(disk.vmdk)= ${sha256}\n`],
    ['the form of sha256sum --tag', `SHA256 (disk.vmdk) = ${sha256}\n`],
    ['no spaces', `SHA256(disk.vmdk)=${sha256}`],
    ['lower case and tabs', `sha256\t( disk.vmdk )\t=\t${sha256}  `],
    ['upper-case digits (W28)', `SHA256(disk.vmdk)= ${sha256.toUpperCase()}`],
    ['a hyphen', `SHA-256(disk.vmdk)= ${sha256}`],
    ['Windows lines, empty lines and remarks', `\r\n# made by hand\r\nSHA256(disk.vmdk)= ${sha256}\r\n\r\n`],
    ['a byte order mark', `\uFEFFSHA256(disk.vmdk)= ${sha256}`],
    ['the same line twice', `SHA256(disk.vmdk)= ${sha256}\nSHA256(disk.vmdk)= ${sha256}`],
    ['a weaker digest after it', `SHA256(disk.vmdk)= ${sha256}\nSHA1(disk.vmdk)= ${sha1}`],
    ['a weaker digest before it', `SHA1(disk.vmdk)= ${sha1}\nSHA256(disk.vmdk)= ${sha256}`],
  ])('reads %s', (_name, text) => {
    expect([...parse(text).entries]).toEqual([['disk.vmdk', { algorithm: 'sha256', hex: sha256 }]]);
  });

  it('reads every algorithm, keeps the order and names with spaces and parentheses', () => {
    const text = `SHA1(b.ovf)= ${sha1}\nSHA512(a (copy) = 2.vmdk)= ${sha512}\n`;
    expect([...parse(text).entries]).toEqual([
      ['b.ovf', { algorithm: 'sha1', hex: sha1 }],
      ['a (copy) = 2.vmdk', { algorithm: 'sha512', hex: sha512 }],
    ]);
  });

  it('accepts an empty manifest', () => {
    expect(parse('').entries.size).toBe(0);
  });

  it.each([
    ['another line', `SHA1(a)= ${sha1}\nhello\n`, 'x.mf, line 2 '],
    ['the plain form of sha256sum', `${sha256}  disk.vmdk`, 'line 1'],
    ['an unknown algorithm', `SHA384(a)= ${'d'.repeat(96)}`, 'SHA-384'],
    ['MD5', `MD5(a)= ${'d'.repeat(32)}`, 'line 1'],
    ['a digest that is too short', `SHA256(a)= ${'d'.repeat(63)}`, '63'],
    ['a digest of another algorithm', `SHA256(a)= ${sha1}`, '40'],
    ['a second, different digest', `SHA1(a)= ${sha1}\nSHA1(a)= ${'d'.repeat(40)}`, 'line 2'],
    ['no file name', `SHA1( )= ${sha1}`, 'names no file'],
    ['a line without end', `SHA1(${'a)='.repeat(10_000)}`, 'characters'],
  ])('refuses %s', (_name, text, part) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'ManifestMalformed', message: expect.stringContaining(part) }),
    );
  });

  it('refuses more than 4 MiB', () => {
    expect(() => parseManifest(new Uint8Array(4 * 1024 * 1024 + 1))).toThrow(
      expect.objectContaining({ code: 'ManifestMalformed' }),
    );
  });
});
