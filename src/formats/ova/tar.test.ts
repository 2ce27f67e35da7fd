import { PassThrough } from 'node:stream';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { collect } from '../../testing/collect.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { buildTar, paxRecord, type TarEntry, tarHeader, withTarChecksum } from '../../testing/ova-tar.ts';
import { ByteReader } from '../byte-reader.ts';
import { listTarMembers, readTarMembers, type TarMember } from './tar.ts';

const bytes = (length: number, fill: number) => new Uint8Array(length).fill(fill);
const ovf = { name: 'a.ovf', bytes: bytes(700, 1) };
const disk = { name: 'a-disk1.vmdk', bytes: bytes(200_000, 2) };

const listed = (archive: Uint8Array) => collect(listTarMembers(new MemoryImageFile(archive, { name: 'a.ova' })));

async function streamed(archive: Uint8Array, pieceBytes = 1000): Promise<TarMember[]> {
  const file = new MemoryImageFile(archive, { ranged: false, pieceBytes });
  await using reader = new ByteReader(file.stream(), { name: 'a.ova', truncated: 'ArchiveTruncated' });
  return await collect(readTarMembers(reader, { name: 'a.ova' }));
}

/** Both ways of walking must agree. */
async function walk(archive: Uint8Array): Promise<TarMember[]> {
  const members = await listed(archive);
  expect(await streamed(archive)).toEqual(members);
  return members;
}

async function expectProblem(archive: Uint8Array, code: string, part = ''): Promise<void> {
  const problem = expect.objectContaining({ code, message: expect.stringContaining(part) });
  await expect(listed(archive)).rejects.toEqual(problem);
  await expect(streamed(archive)).rejects.toEqual(problem);
}

describe('tar members', () => {
  it.each<NonNullable<TarEntry['format']>>(['ustar', 'v7', 'pax', 'gnu'])(
    'are found in %s archives',
    async (format) => {
      const archive = buildTar([ovf, disk].map((entry) => ({ ...entry, format })));
      const members = await walk(archive);
      expect(members.map(({ name, sizeBytes }) => ({ name, sizeBytes }))).toEqual([
        { name: 'a.ovf', sizeBytes: 700 },
        { name: 'a-disk1.vmdk', sizeBytes: 200_000 },
      ]);
      for (const [index, member] of members.entries()) {
        const content = archive.subarray(member.offset, member.offset + member.sizeBytes);
        expect(content.every((byte) => byte === index + 1)).toBe(true);
      }
    },
  );

  it.each([
    ['a long name', `${'folder/'.repeat(20)}${'n'.repeat(90)}.vmdk`],
    ['a name beyond any header field', `${'n'.repeat(300)}.vmdk`],
    ['a name outside ASCII', 'Größe-ディスク.vmdk'],
  ])('have %s as tar-stream writes it', async (_what, name) => {
    const writer = pack();
    const archive = new PassThrough();
    writer.pipe(archive);
    writer.entry({ name }, Buffer.from('content'));
    writer.entry({ name: 'b' }, Buffer.alloc(1024));
    writer.finalize();
    const members = await walk(Buffer.concat(await collect(archive as AsyncIterable<Uint8Array>)));
    expect(members.map((member) => member.name)).toEqual([name.split('/').at(-1), 'b']);
    expect(members[0]?.sizeBytes).toBe(7);
  });

  it('of 9 GiB are reached without reading them, by base 256 and by pax size', async () => {
    const sizeBytes = 9 * 2 ** 30;
    const big = tarHeader({ name: 'big', sizeBytes, isBase256: true });
    const pax = Buffer.from(paxRecord('size', String(sizeBytes)));
    for (const head of [big, buildTar([{ name: 'x', type: 'x', bytes: pax }, { name: 'big' }], { endBlocks: 0 })]) {
      const last = buildTar([ovf]);
      const read = { bytes: 0 };
      const file = Object.assign(new MemoryImageFile(new Uint8Array(0), { name: 'big.ova' }), {
        sizeBytes: head.length + sizeBytes + last.length,
        read: async (offset: number, length: number) => {
          read.bytes += length;
          const window = new Uint8Array(length);
          if (offset < head.length) window.set(head.subarray(offset, offset + length));
          if (offset >= head.length + sizeBytes)
            window.set(last.subarray(offset - head.length - sizeBytes).subarray(0, length));
          return window;
        },
      });
      expect((await collect(listTarMembers(file))).map(({ name, sizeBytes: size }) => [name, size])).toEqual([
        ['big', sizeBytes],
        ['a.ovf', 700],
      ]);
      expect(read.bytes).toBeLessThanOrEqual(2 * 65_536);
    }
  });

  it('leave folders and global headers out', async () => {
    const archive = buildTar([
      { name: 'pax_global_header', type: 'g', bytes: Buffer.from(paxRecord('comment', 'made by git')) },
      { name: 'folder/', type: '5' },
      { name: 'old-folder/' },
      { ...ovf, name: './folder/a.ovf' },
      { ...disk, type: '7' },
    ]);
    expect((await walk(archive)).map((member) => member.name)).toEqual(['a.ovf', 'a-disk1.vmdk']);
  });

  it.each([
    ['without end blocks', (archive: Uint8Array) => archive.subarray(0, -1024)],
    ['with one end block', (archive: Uint8Array) => archive.subarray(0, -512)],
    ['with part of an end block', (archive: Uint8Array) => archive.subarray(0, -700)],
    ['without padding of the last member', (archive: Uint8Array) => archive.subarray(0, 512 + 1024 + 512 + 200_000)],
    ['followed by zeroes', (archive: Uint8Array) => Buffer.concat([archive, bytes(10_000, 0)])],
    ['followed by junk', (archive: Uint8Array) => Buffer.concat([archive, bytes(10_000, 7)])],
  ])('are found in an archive %s', async (_what, change) => {
    expect(await walk(change(buildTar([ovf, disk])))).toHaveLength(2);
  });

  it('accept the checksum of writers that sum signed bytes', async () => {
    const header = Buffer.from(tarHeader({ name: 'größe.ovf', sizeBytes: 0 }));
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + (byte > 127 ? byte - 256 : byte), 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    expect(await walk(header)).toHaveLength(1);
  });

  it('are walked with the consumer reading some, all or none of each, in any piece size', async () => {
    const archive = buildTar([
      ovf,
      disk,
      { name: 'empty', bytes: bytes(0, 0) },
      { name: 'last', bytes: bytes(512, 3) },
    ]);
    for (const pieceBytes of [1, 511, 512, 513, 100_000]) {
      for (const share of [0, 0.5, 1]) {
        const file = new MemoryImageFile(archive, { ranged: false, pieceBytes });
        await using reader = new ByteReader(file.stream(), { name: 'a.ova' });
        const seen: string[] = [];
        for await (const member of readTarMembers(reader)) {
          expect(reader.position).toBe(member.offset);
          await reader.skip(Math.floor(member.sizeBytes * share));
          seen.push(member.name);
        }
        expect(seen).toEqual(['a.ovf', 'a-disk1.vmdk', 'empty', 'last']);
      }
    }
  });

  it('end a consumer that read too far with an ordinary error', async () => {
    const file = new MemoryImageFile(buildTar([ovf, disk]), { ranged: false });
    await using reader = new ByteReader(file.stream(), { name: 'a.ova' });
    const members = readTarMembers(reader);
    await members.next();
    await reader.skip(701);
    await expect(members.next()).rejects.toThrow(RangeError);
  });

  it('stop when aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const file = new MemoryImageFile(buildTar([ovf]));
    await expect(collect(listTarMembers(file, { signal }))).rejects.toThrow('enough');
  });
});

describe('tar archives that are refused', () => {
  const archive = buildTar([ovf, disk]);

  it.each([
    ['nothing', new Uint8Array(0)],
    ['fewer bytes than a header', bytes(100, 1)],
    ['zeroes', bytes(10_240, 0)],
    ['text', Buffer.from('#!/bin/sh\n'.repeat(100))],
    ['a damaged first header', Buffer.concat([bytes(10, 65), archive.subarray(10)])],
  ])('%s is no OVA', async (_what, input) => {
    await expectProblem(input, 'NotAnOva');
  });

  it('a damaged later header is corruption', async () => {
    const damaged = Uint8Array.from(archive);
    damaged[512 + 1024 + 3] = 0x40;
    await expectProblem(damaged, 'ArchiveCorrupt', 'header at byte 1536');
  });

  it.each([
    ['in a later header', 512 + 1024 + 100],
    ['in the first member', 512 + 300],
    ['in the last member', 512 + 1024 + 512 + 199_999],
  ])('a cut %s is truncation', async (_what, length) => {
    await expectProblem(archive.subarray(0, length), 'ArchiveTruncated', `ends at byte ${length}`);
  });

  it('a cut after a long name, and in one', async () => {
    const long = buildTar([{ ...ovf, format: 'pax' }]);
    await expectProblem(long.subarray(0, 1024), 'ArchiveTruncated');
    await expectProblem(long.subarray(0, 515), 'ArchiveTruncated');
  });

  it.each([
    ['1', 'hard link'],
    ['2', 'symbolic link'],
    ['3', 'device'],
    ['4', 'device'],
    ['6', 'pipe'],
    ['S', 'sparse'],
    ['Z', 'unknown type'],
  ])('a member of type %s is refused as %s', async (type, what) => {
    await expectProblem(buildTar([ovf, { name: 'bad', type, linkName: '/etc/passwd' }]), 'ArchiveMemberUnsafe', what);
  });

  it('a link behind a long link name is refused too', async () => {
    const entries = [
      ovf,
      { name: '././@LongLink', type: 'K', bytes: Buffer.from('/etc/passwd\0') },
      { name: 'bad', type: '2' },
    ];
    await expectProblem(buildTar(entries), 'ArchiveMemberUnsafe');
  });

  it('a sparse file in pax form is refused', async () => {
    const records = Buffer.from(paxRecord('GNU.sparse.major', '1'));
    await expectProblem(
      buildTar([ovf, { name: 'x', type: 'x', bytes: records }, disk]),
      'ArchiveMemberUnsafe',
      'sparse',
    );
  });

  it.each(['../evil', '/etc/passwd', 'a/../../b', 'a\\b'])('the name %j is refused in every form', async (name) => {
    for (const format of ['ustar', 'pax', 'gnu'] as const) {
      await expectProblem(buildTar([{ name, bytes: bytes(1, 1), format }]), 'ArchiveMemberUnsafe');
    }
  });

  it('the same name twice is refused, also in different folders', async () => {
    await expectProblem(buildTar([ovf, { ...ovf, name: 'folder/a.ovf' }]), 'ArchiveMemberDuplicate', 'a.ovf');
  });

  it('an endless number of members or headers is refused', async () => {
    const many = Array.from({ length: 4097 }, (_, index) => ({ name: `m${index}` }));
    await expectProblem(buildTar(many), 'ArchiveCorrupt', '4096');
    const headers = Array.from({ length: 17_000 }, () => ({ name: 'd/', type: '5' }));
    await expectProblem(buildTar(headers), 'ArchiveCorrupt', 'headers');
  });

  it.each([
    ['a negative base-256 size', (header: Buffer) => header.fill(0xff, 124, 136)],
    ['a size of 2^63', (header: Buffer) => header.fill(0, 124, 136).fill(0x80, 124, 125).fill(0x80, 128, 129)],
    ['a size that is no number', (header: Buffer) => header.write('hello', 124, 'latin1')],
  ])('%s is refused', async (_what, change) => {
    const header = Buffer.from(tarHeader({ name: 'a', sizeBytes: 0 }));
    change(header);
    await expectProblem(Buffer.concat([buildTar([ovf], { endBlocks: 0 }), withTarChecksum(header)]), 'ArchiveCorrupt');
  });

  it.each([
    ['a pax size that is no number', paxRecord('size', 'many')],
    ['a pax size of 2^64', paxRecord('size', String(2n ** 64n))],
    ['a record without length', 'path=x\n'],
    ['a record of length 0', '0 path=x\n'],
    ['a record beyond the header', '999 path=x\n'],
    ['a record that does not end its line', '9 path=xx'],
  ])('%s is refused', async (_what, records) => {
    const entries = [ovf, { name: 'x', type: 'x', bytes: Buffer.from(records) }, disk];
    await expectProblem(buildTar(entries), 'ArchiveCorrupt');
  });

  it('an extended header of 100 MB is refused before it is read', async () => {
    const header = tarHeader({ name: 'x', type: 'x', sizeBytes: 100 * 2 ** 20 });
    await expectProblem(Buffer.concat([buildTar([ovf], { endBlocks: 0 }), header]), 'ArchiveCorrupt', '104857600');
  });

  it('a global header that renames all members is refused', async () => {
    const entries = [{ name: 'g', type: 'g', bytes: Buffer.from(paxRecord('path', 'x')) }, ovf];
    await expectProblem(buildTar(entries), 'ArchiveCorrupt', 'global');
  });
});
