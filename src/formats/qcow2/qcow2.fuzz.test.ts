import { crc32 } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeRanges } from '../../testing/apply-disk-reader.ts';
import { fuzz } from '../../testing/fuzz.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { MemoryStorageFile } from '../../testing/memory-storage.ts';
import { buildQcow2, COMPRESSED, PLAIN, ZERO } from '../../testing/qcow2-builder.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import { decodePiece } from '../decode-piece.ts';
import { Journal } from './journal.ts';
import { encodeJournalHeader, encodePayload, frameRecord } from './journal-record.ts';
import { openQcow2 } from './open-qcow2.ts';
import { openQcow2Image } from './qcow2-image.ts';
import { openQcow2Writer } from './qcow2-writer.ts';

const random = seededRandom(11);
const seeds: Uint8Array[] = [];

beforeAll(async () => {
  const data = { 1536: randomBytes(random, 2048) };
  const l2 = { 0: PLAIN | 2560n, 1: PLAIN | 1536n, 2: ZERO, 3: PLAIN | 2048n | ZERO, 9: COMPRESSED | 3072n };
  seeds.push(buildQcow2({ virtualSizeBytes: 10_000, l2, data }));
  seeds.push(buildQcow2({ virtualSizeBytes: 10_000, l2: { 0: PLAIN | 2560n, 1: PLAIN | 1536n }, data, version: 2 }));
  const extended = { 0: [PLAIN | 49_152n, 0xf0n] as const, 3: [PLAIN | 65_536n, 0xf0_0000_000fn] as const };
  const big = { clusterBits: 14, virtualSizeBytes: 300_000, incompatible: 16n, fileBytes: 81_920 };
  seeds.push(buildQcow2({ ...big, l2: extended }));
  for (const compression of ['none', 'zstd'] as const) {
    const image = new MemoryStorageFile();
    const options = { image, journal: new MemoryStorageFile(), virtualSizeBytes: 200_000, compression };
    await using writer = await openQcow2Writer(options);
    await writer.write(131_072, new Uint8Array(200_000 - 131_072).fill(9));
    await writer.write(0, randomBytes(random, 65_536).fill(1, 9000));
    await writer.finish();
    seeds.push(image.bytes);
  }
});

/** The whole disk would be allocated by a test helper; here only what ranges name is. */
async function readAll(bytes: Uint8Array, piecesPerPass: number): Promise<void> {
  const main = new MemoryImageFile(bytes);
  await using reader = await openQcow2(
    { main, open: async () => Promise.reject(new Error('no files')) },
    { piecesPerPass },
  );
  for await (const _part of decodeRanges(reader, decodePiece, { wants: (leaf) => leaf < 1e6 })) void _part;
}

describe('fuzz: qcow2', () => {
  test('damaged images are read or refused with a problem', async () => {
    const hot = [
      { from: 0, to: 112 },
      { from: 512, to: 520 },
      { from: 1024, to: 1110 },
    ];
    const result = await fuzz('qcow2', { seeds, hot, run: (bytes) => readAll(bytes, 3) });
    console.info('qcow2 reader', result);
    expect(result.cases).toBeGreaterThan(0);
  });

  test('damaged images are read at random places or refused with a problem', async () => {
    const into = new Uint8Array(70_000);
    const result = await fuzz('qcow2 image', {
      seeds,
      hot: [{ from: 0, to: 112 }],
      run: async (bytes) => {
        const image = await openQcow2Image(new MemoryStorageFile('fuzz', bytes));
        for (const at of [0, 1000, image.virtualSizeBytes - into.length]) {
          if (at >= 0 && at + into.length <= image.virtualSizeBytes) await image.read(at, into);
        }
      },
    });
    console.info('qcow2 image', result);
    expect(result.cases).toBeGreaterThan(0);
  });
});

const header = { virtualSizeBytes: 64 * 2 ** 20, compression: 'none' } as const;
const place = (cluster: number) => ({ position: cluster * 128, packedSectors: 0 });
const records = [
  { first: 2, count: 7, digest: new Uint8Array(32).fill(1) },
  {
    first: 1,
    count: 1,
    digest: new Uint8Array(32).fill(2),
    places: Array.from({ length: 64 }, (_, at) => place(at + 3)),
  },
  {
    first: 3,
    count: 1,
    digest: new Uint8Array(0),
    places: Array.from({ length: 64 }, (_, at) => (at % 3 ? place(99 + 2 * at) : undefined)),
  },
];

/** Few clusters, so that the image they need is small. */
const strange = [
  { first: 2, count: 7, digest: new Uint8Array(32).fill(1) },
  { first: 1, count: 1, digest: new Uint8Array(0), places: [place(1), place(2), undefined, place(6)] },
  { first: 3, count: 1, digest: new Uint8Array(0), places: [{ position: 130, packedSectors: 9 }, place(4)] },
];

describe('fuzz: journal', () => {
  test('a damaged journal is taken up to its first bad record', async () => {
    const file = new MemoryStorageFile();
    const { journal } = await Journal.open(file, header, () => {});
    await journal.append(records);
    const result = await fuzz('journal', {
      seeds: [file.bytes],
      run: async (bytes) => {
        let taken = 0;
        await Journal.open(new MemoryStorageFile('journal', bytes), header, (record) => {
          expect(record).toEqual(records[taken]);
          taken += 1;
        });
      },
    });
    console.info('journal', result);
    expect(result.cases).toBeGreaterThan(0);
  });

  test('a strange record with a right checksum is taken or refused with a problem', async () => {
    const start = encodeJournalHeader(header);
    const result = await fuzz('journal record', {
      seeds: strange.map(encodePayload),
      run: async (payload) => {
        const chained = frameRecord(Buffer.from(payload), crc32(start));
        const journal = new MemoryStorageFile('journal', Buffer.concat([start, chained.bytes]));
        const image = new MemoryStorageFile('image', Buffer.alloc(12 * 65_536));
        await using writer = await openQcow2Writer({ ...header, image, journal });
        await writer.finish();
      },
    });
    console.info('journal record', result);
    expect(result.cases).toBeGreaterThan(0);
  });
});
