import { expect, test } from 'vitest';
import { isKubernetesName } from '../../domain/kubernetes-name.ts';
import { labelsOf, namesOf, parseTransferId } from './names.ts';

const uid = '5f1b2c3d-0000-4000-8000-123456789abc';

test('names are labels of RFC 1123, the same for the same import and others for another', () => {
  const names = namesOf(uid);
  const all = [names.plan, names.report, names.checkpoint(0), names.checkpoint(255), names.job(255, 99999)];
  for (const name of all) expect(isKubernetesName(name), name).toBe(true);
  expect(new Set(all).size).toBe(all.length);
  expect(namesOf(uid).job(0, 1)).toBe(names.job(0, 1));
  expect(names.id).toMatch(/^[a-z2-7]{10}$/);
  expect(namesOf(`${uid}x`).id).not.toBe(names.id);
});

test('ids of ten thousand imports differ', () => {
  const ids = new Set(Array.from({ length: 10_000 }, (_, index) => namesOf(`${uid}-${index}`).id));
  expect(ids.size).toBe(10_000);
});

test("a transfer's id leads back to its import and disk", () => {
  expect(parseTransferId(namesOf(uid).transfer(12))).toEqual({ importUid: uid, disk: 12 });
});

test.each([
  '',
  uid,
  `${uid}.`,
  `${uid}.01`,
  `${uid}.-1`,
  `../${uid}.1`,
  `${uid}.1.2`,
  `${uid}.99999`,
  `${'a'.repeat(65)}.1`,
])('"%s" is no id of a transfer', (id) => {
  expect(() => parseTransferId(id)).toThrow(RangeError);
});

test('labels say to which import, disk and run an object belongs', () => {
  expect(labelsOf(uid, { disk: 0, epoch: 3 })).toEqual({
    'migration.harvesterhci.io/import-uid': uid,
    'app.kubernetes.io/managed-by': 'airlift',
    'migration.harvesterhci.io/disk': '0',
    'migration.harvesterhci.io/epoch': '3',
  });
  expect(Object.keys(labelsOf(uid))).toHaveLength(2);
});
