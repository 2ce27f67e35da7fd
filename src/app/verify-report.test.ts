import { describe, expect, test } from 'vitest';
import { ProblemError } from '../domain/problems.ts';
import type { DataPlane } from '../ports/transfer.ts';
import { compareDisk, digestDisk, digestOf } from '../transfer/verify-disk.ts';
import { verifyReport } from './verify-report.ts';

const content = Buffer.alloc(9 * 2 ** 20, 'content of a disk ');
const readable = (bytes: Buffer) => ({
  virtualSizeBytes: bytes.length,
  read: async (offset: number, into: Uint8Array) => void into.set(bytes.subarray(offset, offset + into.length)),
  [Symbol.asyncDispose]: async () => {},
});
const digest = digestOf(await digestDisk(readable(content)));
const dataPlane: DataPlane = {
  compareDisk,
  measureRead: async () => undefined,
  transferDisk: () => Promise.reject(new Error('not here')),
};

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

function verify(text: string, bytes: Buffer | ProblemError = content) {
  return verifyReport(
    {
      dataPlane,
      readReport: async () => text,
      openDisk: async () => (bytes instanceof ProblemError ? Promise.reject(bytes) : readable(bytes)),
    },
    'out/a/report.json',
  );
}

describe('verifyReport', () => {
  test('finds an untouched disk identical, also inside a larger file', async () => {
    expect(await verify(report([{ ...disk, digest }]))).toEqual([
      { file: 'disk-0.raw', status: 'identical', differences: [] },
    ]);
    const padded = Buffer.concat([content, Buffer.alloc(512)]);
    expect(await verify(report([{ ...disk, digest }]), padded)).toMatchObject([{ status: 'identical' }]);
  });

  test('places a flipped bit', async () => {
    const flipped = Buffer.from(content);
    flipped.writeUInt8((flipped.at(5_000_000) ?? 0) ^ 1, 5_000_000);
    expect(await verify(report([{ ...disk, digest }]), flipped)).toMatchObject([
      { status: 'different', differences: [{ offset: 4_194_304, length: 4_194_304 }] },
    ]);
  });

  test('a shorter disk is different from its new end on', async () => {
    expect(await verify(report([{ ...disk, digest }]), content.subarray(0, 1000))).toMatchObject([
      { status: 'different', differences: [{ offset: 1000, length: content.length - 1000 }] },
    ]);
  });

  test('what cannot be looked at is said, and never counts as identical', async () => {
    expect(await verify(report([disk]))).toMatchObject([
      { status: 'unverifiable', reason: expect.stringContaining('--verify none') },
    ]);
    const gone = new ProblemError('ReportUnusable', 'there is no disk-0.raw');
    expect(await verify(report([{ ...disk, digest }]), gone)).toMatchObject([
      { status: 'unverifiable', reason: 'ReportUnusable: there is no disk-0.raw' },
    ]);
  });

  test.each(['', '{', '[]', '{"kind":"other"}', report([{ ...disk, virtualSizeBytes: 'big' }])])(
    '%j is no report',
    async (text) => {
      await expect(verify(text)).rejects.toMatchObject({ code: 'ReportUnusable' });
    },
  );

  test('a report whose root was altered vouches for nothing', async () => {
    expect(await verify(report([{ ...disk, digest: { ...digest, root: 'f'.repeat(64) } }]))).toMatchObject([
      { status: 'different', differences: [{ offset: 0, length: content.length }] },
    ]);
  });
});
