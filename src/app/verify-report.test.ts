import { describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../domain/digest-layout.ts';
import type { Disk, Machine } from '../domain/machine.ts';
import { ProblemError } from '../domain/problems.ts';
import { decodePiece } from '../formats/decode-piece.ts';
import { openRaw } from '../formats/raw/open-raw.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { Source } from '../ports/source.ts';
import type { CompareOptions } from '../ports/transfer.ts';
import { linuxBiosMachine } from '../testing/kubevirt/sample-machines.ts';
import { MemoryImageFile } from '../testing/memory-image-file.ts';
import { plainWindow } from '../testing/plain-window.ts';
import { createInlineLanes } from '../transfer/lanes/inline-lanes.ts';
import { compareDisk, digestDisk, digestOf } from '../transfer/verify-disk.ts';
import { type VerifyOptions, type VerifyProgress, verifyReport } from './verify-report.ts';

const content = Buffer.alloc(9 * 2 ** 20, 'content of a disk ');
const flipped = Buffer.from(content);
flipped.writeUInt8((flipped.at(5_000_000) ?? 0) ^ 1, 5_000_000);
const otherFlipped = Buffer.from(content);
otherFlipped.writeUInt8((otherFlipped.at(9_000_000) ?? 0) ^ 1, 9_000_000);

const openBytes = (bytes: Buffer): Promise<DiskReader> =>
  openRaw({ main: new MemoryImageFile(bytes), open: () => Promise.reject(new Error('one file')) });
const readParts = {
  decode: decodePiece,
  lanes: createInlineLanes({ decode: decodePiece, openWriter: () => expect.fail('nothing is written here') }),
  window: plainWindow,
};
const digest = digestOf(await digestDisk(readParts, await openBytes(content)));

const disk = {
  id: 'd',
  name: 'Disk',
  sourceFormat: 'raw',
  file: 'disk-0.raw',
  format: 'raw',
  virtualSizeBytes: content.length,
  dataBytes: 1,
  allocatedBytes: 1,
  storedDigests: [],
  fetchedBytes: 1,
  writtenBytes: 1,
  copyMs: 1,
  verifyMs: 1,
  resumes: 0,
};
const report = (disks: object[]) =>
  JSON.stringify({
    kind: 'AirliftImportReport',
    version: 1,
    airliftVersion: '0.1.0',
    source: 'a.ova',
    target: 'dir:/out',
    machine: { id: 'a', name: 'a' },
    targetName: 'a',
    startedAt: '2026-01-01T00:00:00.000Z',
    finishedAt: '2026-01-01T00:00:01.000Z',
    verify: 'readback',
    disks,
    fidelity: [],
    findings: [],
  });

interface World extends VerifyOptions {
  readonly text?: string;
  readonly target?: Buffer | ProblemError;
  readonly compared?: CompareOptions[];
}

function verify({ text = report([{ ...disk, digest }]), target = content, compared = [], ...options }: World) {
  return verifyReport(
    {
      dataPlane: {
        compareDisk(reader, expected, compareOptions = {}) {
          compared.push(compareOptions);
          return compareDisk(readParts, reader, expected, compareOptions);
        },
      },
      readReport: async () => text,
      openDisk: () => (target instanceof ProblemError ? Promise.reject(target) : openBytes(target)),
    },
    'out/a/report.json',
    options,
  );
}

/** A source with these disks by id; the machine's id is that of the report. */
function sourceOf(disks: Readonly<Record<string, Buffer | ProblemError>>, more: Partial<Disk>[] = []) {
  const seen = { asked: [] as unknown[], opened: [] as string[], open: 0 };
  const machine: Machine = {
    ...linuxBiosMachine,
    disks: Object.keys(disks).map((id, index) => ({
      id,
      name: id,
      fileName: `${id}.img`,
      virtualSizeBytes: content.length,
      ...more[index],
    })),
  };
  const source: Source = {
    kind: 'ova',
    location: 'a.ova',
    isStreamed: true,
    async *listMachines() {},
    async inspect(ref) {
      seen.asked.push(ref);
      if (ref !== 'a') throw new ProblemError('MachineNotFound', `no ${ref}`);
      return machine;
    },
    async *preflight() {},
    async openDisk(_machine, { id }) {
      seen.opened.push(id);
      const bytes = disks[id];
      if (bytes === undefined || bytes instanceof ProblemError) throw bytes ?? new Error(`no disk ${id}`);
      const reader = await openBytes(bytes);
      const dispose = reader[Symbol.asyncDispose].bind(reader);
      seen.open += 1;
      reader[Symbol.asyncDispose] = async () => {
        seen.open -= 1;
        await dispose();
      };
      return reader;
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return { source, seen };
}

describe('verifyReport', () => {
  test('finds an untouched disk identical, also inside a larger file', async () => {
    expect(await verify({})).toEqual([{ file: 'disk-0.raw', status: 'identical', differences: [] }]);
    for (const extra of [512, 5 * LEAF_BYTES + 1]) {
      const padded = Buffer.concat([content, Buffer.alloc(extra, 'rest')]);
      expect(await verify({ target: padded })).toMatchObject([{ status: 'identical' }]);
    }
  });

  test('places a flipped bit', async () => {
    expect(await verify({ target: flipped })).toMatchObject([
      { status: 'different', differences: [{ offset: 4_194_304, length: 4_194_304 }] },
    ]);
  });

  test('a shorter disk is different from its new end on', async () => {
    expect(await verify({ target: content.subarray(0, 1000) })).toMatchObject([
      { status: 'different', differences: [{ offset: 1000, length: content.length - 1000 }] },
    ]);
  });

  test('what cannot be looked at is said, and never counts as identical', async () => {
    expect(await verify({ text: report([disk]) })).toMatchObject([
      { status: 'unverifiable', reason: expect.stringContaining('--verify none') },
    ]);
    const gone = new ProblemError('ReportUnusable', 'there is no disk-0.raw');
    expect(await verify({ target: gone })).toMatchObject([
      { status: 'unverifiable', reason: 'ReportUnusable: there is no disk-0.raw' },
    ]);
  });

  test.each(['', '{', '[]', '{"kind":"other"}', report([{ ...disk, virtualSizeBytes: 'big' }])])(
    '%j is no report',
    async (text) => {
      await expect(verify({ text })).rejects.toMatchObject({ code: 'ReportUnusable' });
    },
  );

  test('a report whose digests contradict each other vouches for nothing', async () => {
    const text = report([{ ...disk, digest: { ...digest, root: 'f'.repeat(64) } }]);
    await expect(verify({ text })).rejects.toMatchObject({
      code: 'ReportUnusable',
      message: expect.stringContaining('was changed: the root of disk-0.raw'),
    });
  });

  test('reading is slowed down and told', async () => {
    const compared: CompareOptions[] = [];
    const seen: VerifyProgress[] = [];
    const rateLimiter = { take: async () => {} };
    const { source } = sourceOf({ d: content });
    await verify({ compared, rateLimiter, source, onProgress: (progress) => seen.push(progress) });
    expect(compared.map((each) => each.rateLimiter)).toEqual([rateLimiter, rateLimiter]);
    expect(seen.at(0)).toMatchObject({ file: 'disk-0.raw', side: 'target', totalBytes: content.length });
    expect(seen.at(-1)).toMatchObject({ file: 'disk-0.raw', side: 'source', doneBytes: content.length });
  });
});

describe('against the source again', () => {
  test.each([
    ['nothing', content, content, 'identical', 'identical'],
    ['the target', flipped, content, 'different', 'identical'],
    ['the source', content, flipped, 'identical', 'different'],
    ['both', flipped, otherFlipped, 'different', 'different'],
  ])('tells that %s differs', async (_which, target, other, ofTarget, ofSource) => {
    const { source, seen } = sourceOf({ d: other });
    expect(await verify({ target, source })).toMatchObject([{ status: ofTarget, source: { status: ofSource } }]);
    expect(seen).toMatchObject({ asked: ['a'], opened: ['d'], open: 0 });
  });

  test('names the range that changed', async () => {
    const { source } = sourceOf({ d: otherFlipped });
    expect(await verify({ source })).toMatchObject([
      { source: { differences: [{ offset: 2 * LEAF_BYTES, length: content.length - 2 * LEAF_BYTES }] } },
    ]);
  });

  test.each([
    ['shorter', content.subarray(0, LEAF_BYTES)],
    ['longer', Buffer.concat([content, Buffer.alloc(512)])],
  ])('a disk that became %s is another one', async (how, bytes) => {
    const { source } = sourceOf({ d: bytes });
    const reason = expect.stringContaining(`the disk is ${how} than it was: ${bytes.length}`);
    expect(await verify({ source })).toMatchObject([{ status: 'identical', source: { status: 'different', reason } }]);
  });

  test('disks are read in the order in which the source passes them, and told in that of the report', async () => {
    const text = report([
      { ...disk, id: 'x', file: 'disk-0.raw', digest },
      { ...disk, id: 'y', file: 'disk-1.raw', digest },
    ]);
    const { source, seen } = sourceOf({ x: content, y: flipped }, [{ readingOrder: 9 }, { readingOrder: 2 }]);
    const results = await verify({ text, source });
    expect(seen.opened).toEqual(['y', 'x']);
    expect(results.map((each) => each.source?.status)).toEqual(['identical', 'different']);
  });

  test('an empty disk is compared without asking for its file', async () => {
    const zeroes = Buffer.alloc(content.length);
    const empty = digestOf(await digestDisk(readParts, await openBytes(zeroes)));
    const { source, seen } = sourceOf({ d: content }, [{ fileName: undefined as never }]);
    const text = report([{ ...disk, digest: empty }]);
    expect(await verify({ text, target: zeroes, source })).toMatchObject([{ source: { status: 'identical' } }]);
    expect(seen.opened).toEqual([]);
  });

  test.each([
    ['no longer has the machine', 'b', { d: content }, 'MachineNotFound: no b'],
    ['no longer has the disk', 'a', { other: content }, 'the source no longer has this disk'],
    ['cannot be read', 'a', { d: new ProblemError('SourceStalled', 'silence') }, 'SourceStalled: silence'],
  ])('a source that %s was not looked at; the target was', async (_what, id, disks, reason) => {
    const { source } = sourceOf(disks as Record<string, Buffer>);
    const text = report([{ ...disk, digest }]).replace('"id":"a"', `"id":"${id}"`);
    expect(await verify({ text, source })).toMatchObject([
      { status: 'identical', source: { status: 'unverifiable', reason } },
    ]);
  });

  test('a user who stops is given no answer', async () => {
    const { source } = sourceOf({ d: new ProblemError('Interrupted', 'stopped') });
    await expect(verify({ source })).rejects.toMatchObject({ code: 'Interrupted' });
  });
});
