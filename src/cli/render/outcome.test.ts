import { describe, expect, test } from 'vitest';
import type { ImportOutcome } from '../../app/import-parts.ts';
import type { DiskReport, ImportReport } from '../../app/import-report.ts';
import type { DiskVerification } from '../../app/verify-report.ts';
import { noPaint } from '../io.ts';
import { renderOutcomes, renderVerification } from './outcome.ts';

const MIB = 1024 ** 2;
const io = { paint: noPaint, columns: 100 };

const disk: DiskReport = {
  id: 'disk1',
  name: 'Hard disk 1',
  sourceFile: 'disk1.vmdk',
  sourceFormat: 'vmdk streamOptimized',
  file: 'disk-0.qcow2',
  format: 'qcow2',
  virtualSizeBytes: 20_480 * MIB,
  dataBytes: 3000 * MIB,
  allocatedBytes: 3001 * MIB,
  digest: { root: 'ab', sectionBytes: 16 * MIB, sections: [] },
  storedDigests: [{ name: 'disk1.vmdk', algorithm: 'sha256', expected: 'cd', actual: 'cd' }],
  fetchedBytes: 1500 * MIB,
  writtenBytes: 3000 * MIB,
  copyMs: 12_000,
  verifyMs: 5000,
  resumes: 0,
};

function outcome(name: string, disks: readonly DiskReport[], properties: Partial<ImportReport> = {}): ImportOutcome {
  const report: ImportReport = {
    kind: 'AirliftImportReport',
    version: 1,
    airliftVersion: '1.2.3',
    source: './app.ova',
    target: 'dir:/srv/out?format=qcow2',
    machine: { id: 'vm-1', name },
    targetName: name,
    startedAt: '2026-01-01T00:00:00.000Z',
    finishedAt: '2026-01-01T00:01:00.000Z',
    verify: 'readback',
    disks: [...disks],
    fidelity: [],
    findings: [],
    ...properties,
  };
  return { location: `/srv/out/${name}`, report };
}

describe('renderOutcomes', () => {
  test('says what was done and what comes next', () => {
    const { digest: _, ...unverified } = disk;
    const disks = [disk, { ...unverified, file: 'disk-1.qcow2', storedDigests: [], copyMs: 20, resumes: 2 }];
    expect(renderOutcomes([outcome('web01', disks)], io)).toMatchSnapshot();
  });

  test('several machines', () => {
    const machines = [outcome('web', [disk]), outcome('db\u001b[2J', [disk], { verify: 'none' })];
    expect(renderOutcomes(machines, io)).toMatchSnapshot();
  });

  test('none is nothing', () => {
    expect(renderOutcomes([], io)).toBe('');
  });
});

describe('renderVerification', () => {
  test('names the ranges that differ and why a disk was not looked at', () => {
    const results: DiskVerification[] = [
      { file: 'disk-0.qcow2', status: 'identical', differences: [] },
      {
        file: 'disk-1.qcow2',
        status: 'different',
        differences: [
          { offset: 0, length: 16 * MIB },
          { offset: 64 * MIB, length: 512 },
        ],
      },
      {
        file: 'disk-2.qcow2',
        status: 'unverifiable',
        differences: [],
        reason: 'SourceNotFound: no such\u001b[2J file',
      },
    ];
    expect(renderVerification(results, io)).toMatchSnapshot();
  });

  test('of a thousand ranges the first are named', () => {
    const differences = Array.from({ length: 1000 }, (_, index) => ({ offset: index * 2 * MIB, length: MIB }));
    const lines = renderVerification([{ file: 'd', status: 'different', differences }], io).split('\n');
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toBe('  and 980 more ranges');
  });
});
