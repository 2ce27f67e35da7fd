import { describe, expect, test } from 'vitest';
import { mapMachine } from '../domain/hardware-mapping.ts';
import { FairSlots } from '../lib/fair-slots.ts';
import type { Target } from '../ports/target.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { linuxBiosMachine, someOptions } from '../testing/kubevirt/sample-machines.ts';
import { MemoryMachineTarget } from '../testing/memory-target.ts';
import { buildReport } from './build-report.ts';
import type { Estimate } from './estimate-transfer.ts';
import { importReportSchema } from './import-report.ts';
import { renderReport } from './render-report.ts';

const rates = { read: 1, decode: 2, hash: 3, write: 4, readBack: 5 };
const estimate: Estimate = { ms: 3_000, copyMs: 2_000, verifyMs: 1_000, limitedBy: 'decode', rates };

function reportWith(predicted: Estimate | undefined) {
  const clock = new FakeClock();
  const mapped = mapMachine(linuxBiosMachine, someOptions());
  return buildReport({
    parts: { dataPlane: {} as never, clock, diskSlots: new FairSlots(1), airliftVersion: '1.2.3' },
    plan: {
      source: 'a.ova',
      target: 'dir:/out',
      machine: linuxBiosMachine,
      targetName: 'web',
      mapped,
      disks: [],
      findings: [],
      dataBytes: 0,
      virtualSizeBytes: 0,
      ...(predicted === undefined ? {} : { estimate: predicted }),
    },
    target: { location: 'dir:/out', diskFormat: 'raw' } as Target,
    place: new MemoryMachineTarget(),
    options: { verify: 'readback' },
    startedAt: clock.now() - 4_000,
    disks: [],
  });
}

describe('what was predicted', () => {
  test('is kept in the report and stands beside what it took', () => {
    const report = reportWith(estimate);
    expect(importReportSchema.parse(JSON.parse(JSON.stringify(report)))).toMatchObject({ estimate });
    expect(renderReport(report)).toContain('| Time | predicted 3.0 s, limited by unpacking; took 4.0 s |');
  });

  test('is not there when nobody measured', () => {
    const report = reportWith(undefined);
    expect(report).not.toHaveProperty('estimate');
    expect(renderReport(report)).not.toContain('predicted');
  });
});
