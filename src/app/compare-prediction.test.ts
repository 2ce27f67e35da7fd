import { expect, test } from 'vitest';
import { comparePrediction } from './compare-prediction.ts';
import type { ImportReport } from './import-report.ts';

const report = (properties: Partial<ImportReport>): ImportReport => ({
  kind: 'AirliftImportReport',
  version: 1,
  airliftVersion: '1.2.3',
  source: 'a.ova',
  target: 'dir:/out',
  machine: { id: 'a', name: 'a' },
  targetName: 'a',
  startedAt: '2026-01-01T00:00:00.000Z',
  finishedAt: '2026-01-01T00:01:31.000Z',
  verify: 'readback',
  estimate: {
    ms: 80_000,
    copyMs: 60_000,
    verifyMs: 20_000,
    limitedBy: 'read',
    rates: { read: 1, decode: 2, hash: 3 },
  },
  disks: [],
  fidelity: [],
  findings: [],
  ...properties,
});

test('what was predicted stands beside what it took', () => {
  expect(comparePrediction(report({}))).toBe('predicted 1 min 20 s, limited by the source; took 1 min 31 s');
});

test('without verification its time was not predicted either', () => {
  expect(comparePrediction(report({ verify: 'none' }))).toContain('predicted 1 min 00 s');
});

test('nothing predicted, nothing compared', () => {
  const { estimate: _, ...rest } = report({});
  expect(comparePrediction(rest)).toBeUndefined();
});

test('the rest of an interrupted import is compared with nothing', () => {
  const disks = [{ resumes: 1 }] as ImportReport['disks'];
  expect(comparePrediction(report({ disks }))).toBe('predicted 1 min 20 s without interruption, limited by the source');
});
