import { persistentVolumeClaimKind } from '../../api/core-kinds.ts';
import { type DataVolume, dataVolumeKind } from '../../api/platform-kinds.ts';
import { refOf } from '../../domain/kubernetes-object.ts';
import type { Cluster, JsonObject } from '../../ports/cluster.ts';

/** What CDI says of a DataVolume, a step after the other; it stays at `UploadReady` until the disk was sent. */
export type UploadScript = (dataVolume: DataVolume) => readonly JsonObject[];

const waiting = (phase: string, message: string): JsonObject => ({
  phase,
  conditions: [{ type: 'Running', status: 'False', message }],
});

export const scheduledStatus = waiting('UploadScheduled', 'Creating container cdi-upload');
export const uploadReadyStatus: JsonObject = { phase: 'UploadReady', progress: 'N/A' };
export const uploadFailedStatus = waiting('Failed', 'the upload Pod was evicted');

/** CDI's controllers, as far as their objects show: a claim of the same name and labels for each DataVolume, then its phases. */
export class FakeCdi {
  /** Uids of those whose disk has arrived. */
  readonly filled = new Set<string>();
  readonly #cluster: Cluster;
  readonly #script: UploadScript;
  readonly #steps = new Map<string, number>();

  constructor(cluster: Cluster, script: UploadScript = () => [scheduledStatus, uploadReadyStatus]) {
    this.#cluster = cluster;
    this.#script = script;
  }

  async turn(): Promise<void> {
    for await (const each of this.#cluster.list(dataVolumeKind)) {
      if (each.metadata.deletionTimestamp !== undefined) continue;
      const { uid = '' } = each.metadata;
      await this.#makeClaim(each);
      const statuses = this.#script(each);
      const step = this.#steps.get(uid) ?? 0;
      this.#steps.set(uid, step + 1);
      const said = statuses[Math.min(step, statuses.length - 1)];
      const status = this.filled.has(uid) ? { phase: 'Succeeded', progress: '100.0%', conditions: [] } : said;
      if (status === undefined) continue;
      await this.#cluster.patch(dataVolumeKind, refOf(each), { status }, { subresource: 'status' });
    }
  }

  async #makeClaim({ metadata, spec }: DataVolume): Promise<void> {
    const { name, namespace = '', uid = '', labels = {} } = metadata;
    if ((await this.#cluster.get(persistentVolumeClaimKind, { namespace, name })) !== undefined) return;
    await this.#cluster.create(persistentVolumeClaimKind, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name,
        namespace,
        labels: { app: 'containerized-data-importer', ...labels },
        ownerReferences: [{ apiVersion: 'cdi.kubevirt.io/v1beta1', kind: 'DataVolume', name, uid, controller: true }],
      },
      ...(spec?.storage === undefined ? {} : { spec: spec.storage }),
    });
  }
}
