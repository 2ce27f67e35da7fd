import { describe, expect, it } from 'vitest';
import type { DiskFiles } from '../ports/image-file.ts';
import { MemoryImageFile } from '../testing/memory-image-file.ts';
import { buildSparse } from '../testing/vmdk-builder.ts';
import { isDiskImage, openDiskImage } from './open-disk-image.ts';

function filesOf(
  bytes: Uint8Array,
  name: string,
  options: { ranged?: boolean } = {},
): DiskFiles & { main: MemoryImageFile } {
  return {
    main: new MemoryImageFile(bytes, { name, ...options }),
    open: async (other) => {
      throw new Error(`${other} was not expected to be opened`);
    },
  };
}

const vmdk = buildSparse({
  virtualSizeBytes: 2 ** 20,
  grains: new Map([[1, Buffer.alloc(65_536, 7)]]),
  compressed: true,
}).bytes;

describe('opening a disk image', () => {
  it('knows VMDK by its first bytes, whatever its name', async () => {
    const files = filesOf(vmdk, 'disk1');
    await using reader = await openDiskImage(files, { virtualSizeBytes: 2 ** 20 });
    expect(reader.format).toContain('vmdk');
    expect(reader.virtualSizeBytes).toBe(2 ** 20);
  });

  it.each([
    ['its name', 'disk.RAW', {}],
    ['its name', 'disk.img', {}],
    ['its length', 'disk1', { virtualSizeBytes: 8192 }],
    ['the description', 'disk1', { declaredFormat: 'raw' }],
    ['the description', 'disk1', { declaredFormat: 'http://en.wikipedia.org/wiki/Byte' }],
  ])('takes a file for raw by %s (%s)', async (_, name, options) => {
    await using reader = await openDiskImage(filesOf(new Uint8Array(8192), name), options);
    expect(reader.format).toBe('raw');
    expect(reader.virtualSizeBytes).toBe(8192);
  });

  it('does not take a guest that writes a VMDK header on its raw disk for a VMDK', async () => {
    await using reader = await openDiskImage(filesOf(vmdk, 'disk1'), { declaredFormat: 'raw' });
    expect(reader.format).toBe('raw');
  });

  it.each([
    ['a VHDX image', 'disk.vhdx', Buffer.from('vhdxfile'.padEnd(4096))],
    ['a VHD image', 'disk.vhd', Buffer.from('conectix'.padEnd(4096))],
    [
      'a VirtualBox VDI image',
      'disk.vdi',
      Buffer.concat([Buffer.alloc(64), Buffer.from('7f10dabe', 'hex'), Buffer.alloc(512)]),
    ],
    ['an ISO 9660 image', 'disk.img', Buffer.concat([Buffer.alloc(0x8001), Buffer.from('CD001'), Buffer.alloc(512)])],
    ['compressed with gzip', 'disk.raw', Buffer.from('1f8b0800', 'hex')],
    ['a VHD image of fixed size', 'disk.img', Buffer.concat([Buffer.alloc(4096), Buffer.from('conectix'.padEnd(512))])],
  ])('names %s', async (what, name, bytes) => {
    const files = filesOf(bytes, name);
    await expect(openDiskImage(files)).rejects.toMatchObject({
      code: 'DiskFormatUnknown',
      message: `${name} is ${what}`,
    });
    expect(files.main.isDisposed).toBe(true);
  });

  it('refuses what nothing speaks for, and disposes it', async () => {
    const files = filesOf(Buffer.alloc(8192, 3), 'disk1.vmdk');
    const declaredFormat = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';
    await expect(openDiskImage(files, { declaredFormat, virtualSizeBytes: 8192 })).rejects.toMatchObject({
      code: 'DiskFormatUnknown',
    });
    expect(files.main.isDisposed).toBe(true);
    await expect(openDiskImage(filesOf(new Uint8Array(0), 'disk1'))).rejects.toMatchObject({
      code: 'DiskFormatUnknown',
    });
  });

  it('tells disk images from other files', () => {
    expect(isDiskImage('x', vmdk)).toBe(true);
    expect(isDiskImage('x.qcow2', new Uint8Array(8))).toBe(true);
    expect(isDiskImage('x.ova', new Uint8Array(512))).toBe(false);
  });
});
