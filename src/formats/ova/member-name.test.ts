import { describe, expect, it } from 'vitest';
import { hrefNames, safeMemberName } from './member-name.ts';

const unsafe = expect.objectContaining({ code: 'ArchiveMemberUnsafe' });

describe('safeMemberName', () => {
  it.each([
    ['disk.vmdk', 'disk.vmdk'],
    ['./disk.vmdk', 'disk.vmdk'],
    ['some/folder/disk.vmdk', 'disk.vmdk'],
    ['a//b', 'b'],
    ['my machine (1).ovf', 'my machine (1).ovf'],
    ['..disk', '..disk'],
    ['Прим.ovf', 'Прим.ovf'],
    ['disk:1.vmdk', 'disk:1.vmdk'],
  ])('takes the file name of %j', (name, expected) => {
    expect(safeMemberName(name)).toBe(expected);
  });

  it.each([
    '',
    '.',
    './',
    'folder/',
    '/etc/passwd',
    '//server/share',
    '../disk.vmdk',
    'a/../../b',
    'a/..',
    '..',
    'a\\b',
    '..\\b',
    '\\\\server\\share',
    'C:disk',
    'c:/disk',
    'disk\0.vmdk',
    'disk\n.vmdk',
    'disk\u007f',
    'a/'.repeat(4096),
  ])('refuses %j', (name) => {
    expect(() => safeMemberName(name)).toThrow(unsafe);
  });

  it('shortens long names in messages', () => {
    expect(() => safeMemberName(`/${'a'.repeat(100_000)}`)).toThrow(/^.{0,300}$/);
  });
});

describe('hrefNames', () => {
  it('keeps folders, since an unpacked OVF may use them', () => {
    expect(hrefNames('disks/./disk1.vmdk')).toEqual(['disks/disk1.vmdk']);
  });

  it('offers the name as written first and then with percent escapes resolved', () => {
    expect(hrefNames('my%20disk.vmdk')).toEqual(['my%20disk.vmdk', 'my disk.vmdk']);
    expect(hrefNames('100%.vmdk')).toEqual(['100%.vmdk']);
  });

  it.each([
    '../disk.vmdk',
    '%2e%2e/disk.vmdk',
    '..%2Fdisk.vmdk',
    '%2Fetc%2Fpasswd',
    'a%5Cb',
    'a%00b',
    'file:///etc/passwd',
    'FILE:disk',
  ])('refuses %j', (href) => {
    expect(() => hrefNames(href)).toThrow(unsafe);
  });

  it.each(['http://host/disk.vmdk', 'HTTPS://host/disk.vmdk', 'ftp://host/disk'])('does not fetch %j', (href) => {
    expect(() => hrefNames(href)).toThrow(expect.objectContaining({ code: 'OvfUnsupported' }));
  });
});
