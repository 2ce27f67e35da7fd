import { persistentVolumeClaimKind } from '../../api/core-kinds.ts';
import { type VirtualMachineImage, virtualMachineImageKind } from '../../api/platform-kinds.ts';
import { refOf } from '../../domain/kubernetes-object.ts';
import type { Cluster, JsonObject } from '../../ports/cluster.ts';

/** What Harvester says of an image, a step after the other; the last one stays. */
export type ImageScript = (image: VirtualMachineImage) => readonly JsonObject[];

const condition = (type: string, status: string, message = '') => ({ type, status, message });

export const importingStatus: JsonObject = {
  progress: 40,
  conditions: [condition('Initialized', 'True'), condition('Imported', 'Unknown')],
};

export const importedStatus: JsonObject = {
  progress: 100,
  size: 65_536 * 7,
  storageClassName: 'lh-of-the-image',
  conditions: [
    condition('Initialized', 'True'),
    condition('Imported', 'True'),
    condition('RetryLimitExceeded', 'False'),
  ],
};

/** Harvester gives up (pkg/image/common/operator.go of 1.8.0): `Imported` is False without a reason, and the limit of retries exceeded. */
export const givenUpStatus = (message: string): JsonObject => ({
  progress: 40,
  failed: 4,
  conditions: [
    condition('Initialized', 'True'),
    condition('Imported', 'False', message),
    condition('RetryLimitExceeded', 'True', message),
  ],
});

/** Harvester with its image controller, as far as its objects show: each turn tells the next thing of every image, and CDI makes its volumes. */
export class FakeImageImporter {
  readonly #cluster: Cluster;
  readonly #script: ImageScript;
  readonly #steps = new Map<string, number>();

  constructor(cluster: Cluster, script: ImageScript = () => [importingStatus, importedStatus]) {
    this.#cluster = cluster;
    this.#script = script;
  }

  async turn(): Promise<void> {
    for await (const image of this.#cluster.list(virtualMachineImageKind)) {
      const { uid = '', name, namespace = '' } = image.metadata;
      const statuses = this.#script(image);
      const step = this.#steps.get(uid) ?? 0;
      this.#steps.set(uid, step + 1);
      const status = statuses[Math.min(step, statuses.length - 1)];
      if (status === undefined) continue;
      await this.#cluster.patch(virtualMachineImageKind, refOf(image), { status });
      if (image.spec?.backend === 'cdi' && status === importedStatus)
        await this.#makeGoldenVolume(namespace, name, uid);
    }
  }

  async #makeGoldenVolume(namespace: string, name: string, uid: string): Promise<void> {
    if ((await this.#cluster.get(persistentVolumeClaimKind, { namespace, name })) !== undefined) return;
    await this.#cluster.create(persistentVolumeClaimKind, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name,
        namespace,
        annotations: { 'harvesterhci.io/goldenImage': 'true' },
        ownerReferences: [{ apiVersion: 'harvesterhci.io/v1beta1', kind: 'VirtualMachineImage', name, uid }],
      },
      spec: { accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem', resources: { requests: { storage: '1Gi' } } },
    });
  }
}
