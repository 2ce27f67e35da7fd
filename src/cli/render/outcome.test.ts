import { describe, expect, test } from 'vitest';
import type { ImportOutcome } from '../../app/import-parts.ts';
import type { DiskReport, ImportReport } from '../../app/import-report.ts';
import { noPaint } from '../io.ts';
import { renderOutcomes } from './outcome.ts';

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

  test('a prediction stands beside what it took', () => {
    const rates = { read: 1, decode: 2, hash: 3, write: 4, readBack: 5 };
    const estimate = { ms: 50_000, copyMs: 40_000, verifyMs: 10_000, limitedBy: 'write' as const, rates };
    expect(renderOutcomes([outcome('web01', [disk], { estimate })], io)).toContain(
      '  predicted 50 s, limited by the target; took 1 min 00 s\n',
    );
  });

  test('none is nothing', () => {
    expect(renderOutcomes([], io)).toBe('');
  });
});
