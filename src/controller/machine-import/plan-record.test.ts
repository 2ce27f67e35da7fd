import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { ImportSpec } from '../../api/virtual-machine-import.ts';
import { readVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import { kept } from '../../domain/fidelity.ts';
import { decodePlan, encodePlan, hashSpec, type PlanRecord } from './plan-record.ts';

const plan: PlanRecord = {
  version: 1,
  specHash: 'abc',
  ranAt: 1,
  targetName: 'web',
  machineId: 'vm-1',
  hardware: {
    name: 'web',
    runStrategy: 'RerunOnFailure',
    annotations: {},
    platform: {
      cpu: { sockets: 1, cores: 1, threads: 1 },
      memoryMebibytes: 512,
      firmware: 'bios',
      isSecureBoot: false,
      hasPersistentState: false,
      hasTpm: false,
    },
    disks: [],
    nics: [],
  },
  fidelity: [kept('name', 'web')],
  findings: [],
  disks: [
    {
      index: 0,
      id: 'd',
      name: 'disk 1',
      virtualSizeBytes: 1024,
      claimName: 'web-disk-0',
      accessMode: 'ReadWriteOnce',
      volumeMode: 'Block',
    },
  ],
};

function asConfigMap(binaryData: Readonly<Record<string, string>>) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'p' }, binaryData };
}

describe('a plan in a ConfigMap', () => {
  test('comes back as it was', () => {
    expect(decodePlan(asConfigMap(encodePlan(plan)))).toEqual(plan);
  });

  test('loses rows of the account rather than what decides about the machine when it is too large', () => {
    // Random text does not pack.
    const rows = Array.from({ length: 20_000 }, (_, index) =>
      kept(`setting[${index}]`, Array.from({ length: 12 }, () => Math.random().toString(36).slice(2)).join('')),
    );
    const encoded = encodePlan({ ...plan, fidelity: rows });
    expect(JSON.stringify(encoded).length).toBeLessThan(1024 * 1024);
    const { fidelity, ...rest } = decodePlan(asConfigMap(encoded)) ?? { fidelity: [] };
    expect(fidelity.length).toBeGreaterThan(100);
    expect(fidelity.length).toBeLessThan(rows.length);
    expect({ ...rest, fidelity: plan.fidelity }).toEqual(plan);
  });

  test.each([
    ['nothing', {}],
    ['no gzip', { 'plan.json.gz': 'aGVsbG8=' }],
    ['no JSON', { 'plan.json.gz': gzipSync('{').toString('base64') }],
    ['another version', { 'plan.json.gz': gzipSync('{"version":2,"disks":[]}').toString('base64') }],
    ['a bomb', { 'plan.json.gz': gzipSync(Buffer.alloc(64 * 1024 * 1024)).toString('base64') }],
  ])('that holds %s counts as none', (_, binaryData) => {
    expect(decodePlan(asConfigMap(binaryData))).toBeUndefined();
  });
});

describe('the hash of a spec', () => {
  const specOf = (spec: object): ImportSpec =>
    readVirtualMachineImport({
      apiVersion: 'migration.harvesterhci.io/v1beta1',
      kind: 'VirtualMachineImport',
      metadata: { name: 'a' },
      ...{ spec },
    }).object.spec;
  const base = { virtualMachineName: 'web', storageClass: 'fast', networkMapping: [{ sourceNetwork: 'a' }] };

  test('changes with what the plan is made of, a new token for retry included', () => {
    const hashes = [
      base,
      { ...base, storageClass: 'slow' },
      { ...base, networkMapping: [{ sourceNetwork: 'b' }] },
      { ...base, targetName: 'other' },
      { ...base, retry: 'now' },
    ].map((spec) => hashSpec(specOf(spec)));
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('stays for what only concerns the way, and for another order or spelling of the same', () => {
    const hash = hashSpec(specOf(base));
    for (const more of [{ suspend: true }, { run: false }, { transfer: { maxRate: '1MB' } }, { folder: null }])
      expect(hashSpec(specOf({ ...base, ...more }))).toBe(hash);
    expect(hashSpec(specOf(Object.fromEntries(Object.entries(base).toReversed())))).toBe(hash);
  });
});
