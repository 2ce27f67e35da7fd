import { describe, expect, test } from 'vitest';
import { podKind } from '../api/core-kinds.ts';
import { virtualMachineImageKind } from '../api/platform-kinds.ts';
import { ImportJourney, someResult } from '../testing/import-journey/import-journey.ts';
import { findImageBy } from './find-image.ts';
import { ImportDesk } from './import-desk.ts';
import type { ImportSummary } from './machine-import/import-summary.ts';
import { namesOf } from './machine-import/names.ts';
import { ownerOf } from './machine-import/objects/owner.ts';

const spec = { target: { image: {} }, transfer: { maxRate: '20MB' } };

/** An import whose image is being downloaded, and who asks about it. */
async function served(more: object = {}) {
  const journey = await ImportJourney.begin({ images: () => [] });
  await journey.create('web', { ...spec, ...more });
  await journey.run('web', ({ status }) => status?.importStatus === 'diskImageSubmitted', 100);
  const { metadata } = await journey.get('web');
  const { uid = '' } = metadata;
  for await (const pod of journey.cluster.list(podKind)) {
    const ref = { namespace: 'vms', name: pod.metadata.name };
    await journey.cluster.patch(podKind, ref, { status: { podIP: '198.18.1.7' } }, { subresource: 'status' });
  }
  await journey.step('web');
  const summary = { uid, namespace: 'vms', name: 'web', isFinished: false } as ImportSummary;
  const world = { isSynced: true, summary: summary as ImportSummary | undefined };
  const options = {
    importOf: (asked: string) => (asked === uid ? world.summary : undefined),
    isSynced: () => world.isSynced,
  };
  const transferId = namesOf(uid).transfer(0);
  const place = { namespace: 'vms', owner: ownerOf({ metadata: { name: 'web', uid } }), disk: 0 };
  const findImage = findImageBy({ parts: journey.parts, ...options });
  const desk = new ImportDesk({ parts: journey.parts, ...options, onNews() {} });
  return { journey, world, findImage, desk, transferId, place, uid };
}

const asked = (transferId: string, token = 'token-number-1') => ({ transferId, token, fileName: 'web-disk-0.img' });

describe('findImageBy', () => {
  test('finds the Pod that serves it now', async () => {
    const { findImage, transferId } = await served();
    expect(await findImage(asked(transferId))).toEqual({ url: 'http://198.18.1.7:8444/token-number-1/web-disk-0.img' });
  });

  test('writes an address of IPv6 as URLs want it', async () => {
    const { findImage, transferId, journey } = await served();
    for await (const pod of journey.cluster.list(podKind)) {
      const ref = { namespace: 'vms', name: pod.metadata.name };
      await journey.cluster.patch(podKind, ref, { status: { podIP: 'fd00::7' } }, { subresource: 'status' });
    }
    await journey.step('web');
    expect(await findImage(asked(transferId))).toMatchObject({
      url: expect.stringContaining('http://[fd00::7]:8444/'),
    });
  });

  test.each([
    ['another token', 'token-number-2'],
    ['a part of it', 'token-number-'],
    ['none', ''],
  ])('knows nothing for %s', async (_, token) => {
    const { findImage, transferId } = await served();
    expect(await findImage(asked(transferId, token))).toBeUndefined();
  });

  test('knows nothing of imports that there are not, nor of what is no transfer', async () => {
    const { findImage } = await served();
    expect(await findImage(asked('b6a7c6a2-0000-4000-8000-00000000000f.0'))).toBeUndefined();
    expect(await findImage(asked('..%2f..'))).toBeUndefined();
    expect(await findImage(asked('%'))).toBeUndefined();
  });

  test('has downloaders wait for a worker, and for a controller that has just started', async () => {
    const { findImage, transferId, journey, world } = await served();
    journey.parts.live.delete(transferId);
    expect(await findImage(asked(transferId))).toBe('later');
    world.summary = undefined;
    world.isSynced = false;
    expect(await findImage(asked(transferId))).toBe('later');
  });

  test('leads nowhere once the next run proves what was downloaded', async () => {
    const { findImage, transferId, journey, place } = await served();
    await journey.parts.transfers.begin(place, 2, { image: { stage: 'prove', imageToken: 'token-number-1' } });
    expect(await findImage(asked(transferId))).toBe('later');
  });
});

describe('what workers of an image are told', () => {
  test('the first one what to serve, and how', async () => {
    const { desk, transferId, uid } = await served();
    expect(await desk.readAssignment({ id: transferId, epoch: 1 })).toEqual({
      source: { ova: { url: 'https://files.example/app.ova' } },
      disk: { id: expect.any(String), index: 0 },
      verify: 'readback',
      maxRateBytesPerSecond: 20_000_000,
      image: { token: 'token-number-1', port: 8444, name: `vms/${namesOf(uid).image(0)}` },
    });
  });

  test('whether it was taken, which is for Harvester to say', async () => {
    const { desk, transferId, journey, uid } = await served();
    expect(await desk.isTaken({ id: transferId, epoch: 1 })).toBe(false);
    await journey.cluster.patch(
      virtualMachineImageKind,
      { namespace: 'vms', name: namesOf(uid).image(0) },
      { status: { storageClassName: 'lh-x', conditions: [{ type: 'Imported', status: 'True' }] } },
    );
    expect(await desk.isTaken({ id: transferId, epoch: 1 })).toBe(true);
  });

  test('the second one what the volume has to be, and nothing of the source', async () => {
    const { desk, transferId, journey, place } = await served();
    await desk.reportOutcome({ id: transferId, epoch: 1 }, { served: someResult });
    await journey.parts.transfers.begin(place, 2, { image: { stage: 'prove', imageToken: 'token-number-1' } });
    await expect(desk.readAssignment({ id: transferId, epoch: 2 })).rejects.toMatchObject({ code: 'VolumeLost' });
    const { persistentVolumeClaimKind } = await import('../api/core-kinds.ts');
    const name = namesOf(place.owner.uid).image(0);
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace: 'vms' } };
    const { metadata } = await journey.cluster.create(persistentVolumeClaimKind, claim);
    expect(await desk.readAssignment({ id: transferId, epoch: 2 })).toEqual({
      disk: { id: expect.any(String), index: 0 },
      volume: { uid: metadata.uid, name: `vms/${name}` },
      proof: { virtualSizeBytes: someResult.virtualSizeBytes, digest: someResult.digest },
    });
  });
});
