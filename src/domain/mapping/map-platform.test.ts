import { describe, expect, test } from 'vitest';
import { aMachine } from '../../testing/kubevirt/sample-machines.ts';
import { mapPlatform } from './map-platform.ts';

const row = (mapped: ReturnType<typeof mapPlatform>, property: string) =>
  mapped.rows.find((each) => each.property === property);

describe('mapPlatform', () => {
  test('keeps sockets, cores and threads as they are, not their product', () => {
    const { platform } = mapPlatform(aMachine({ cpu: { sockets: 2, coresPerSocket: 4, threadsPerCore: 2 } }));
    expect(platform.cpu).toEqual({ sockets: 2, cores: 4, threads: 2 });
  });

  test.each([
    [1024 ** 3, 1024, 'kept'],
    [1024 ** 3 + 1, 1025, 'changed'],
    [4_000_000_000, 3815, 'changed'],
  ] as const)('%i bytes of memory become %i MiB and are %s', (memoryBytes, mebibytes, outcome) => {
    const mapped = mapPlatform(aMachine({ memoryBytes }));
    expect(mapped.platform.memoryMebibytes).toBe(mebibytes);
    expect(row(mapped, 'memory')?.outcome).toBe(outcome);
  });

  test.each([
    ['bios', false, false, undefined],
    ['bios', true, false, 'dropped'],
    ['efi', false, false, 'kept'],
    ['efi', true, true, 'kept'],
  ] as const)('Secure Boot on %s, %s on the source: %s', (firmware, isSecureBoot, expected, outcome) => {
    const mapped = mapPlatform(aMachine({ firmware, isSecureBoot }));
    expect(mapped.platform).toMatchObject({ firmware, isSecureBoot: expected });
    expect(row(mapped, 'firmware.secureBoot')?.outcome).toBe(outcome);
  });

  test('a TPM is there only if the source had one; it is empty, persistent and told about', () => {
    expect(mapPlatform(aMachine())).toMatchObject({
      platform: { hasTpm: false, hasPersistentState: false },
      findings: [],
    });
    expect(mapPlatform(aMachine({ hasTpm: true }))).toMatchObject({
      platform: { hasTpm: true, hasPersistentState: true },
      findings: [{ severity: 'warning', code: 'HardwareChanged', message: expect.stringContaining('recovery keys') }],
    });
  });

  test('EFI variables are named as left behind', () => {
    expect(row(mapPlatform(aMachine({ firmware: 'efi' })), 'firmware.variables')?.outcome).toBe('dropped');
    expect(row(mapPlatform(aMachine()), 'firmware.variables')).toBeUndefined();
  });

  test.each([
    ['564D1F2E-0C3A-9B4D-5E6F-7A8B9C0D1E2F', '564d1f2e-0c3a-9b4d-5e6f-7a8b9c0d1e2f'],
    ['56 4d 1f 2e 0c 3a 9b 4d-5e 6f 7a 8b 9c 0d 1e 2f', '564d1f2e-0c3a-9b4d-5e6f-7a8b9c0d1e2f'],
    ['{564d1f2e-0c3a-9b4d-5e6f-7a8b9c0d1e2f}', '564d1f2e-0c3a-9b4d-5e6f-7a8b9c0d1e2f'],
    ['uuid:564d1f2e-0c3a-9b4d-5e6f-7a8b9c0d1e2f', '564d1f2e-0c3a-9b4d-5e6f-7a8b9c0d1e2f'],
  ])('takes the BIOS UUID %j', (biosUuid, uuid) => {
    expect(mapPlatform(aMachine({ biosUuid })).platform.uuid).toBe(uuid);
  });

  test.each(['', 'nonsense', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'])(
    'drops the BIOS UUID %j with a reason',
    (biosUuid) => {
      const mapped = mapPlatform(aMachine({ biosUuid }));
      expect(mapped.platform.uuid).toBeUndefined();
      expect(row(mapped, 'firmware.uuid')).toMatchObject({ outcome: 'dropped', reason: expect.any(String) });
    },
  );
});
