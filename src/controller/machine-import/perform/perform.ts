import { configMapKind, jobKind, persistentVolumeClaimKind, podKind } from '../../../api/core-kinds.ts';
import { IMPORT_FINALIZER, IMPORT_UID_LABEL, IMPORTED_LABEL } from '../../../api/literals.ts';
import { dataVolumeKind, virtualMachineImageKind, virtualMachineKind } from '../../../api/platform-kinds.ts';
import { type VirtualMachineImport, virtualMachineImportKind } from '../../../api/virtual-machine-import.ts';
import { virtualMachineObject } from '../../../app/virtual-machine-object.ts';
import type { Finding } from '../../../domain/finding.ts';
import type { ResourceKind } from '../../../domain/kubernetes-object.ts';
import { refOf } from '../../../domain/kubernetes-object.ts';
import type { Action } from '../../../domain/next-action.ts';
import { isProblem, type ProblemCode, ProblemError } from '../../../domain/problems.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import { unlessChanged } from '../import-changes.ts';
import type { ImportParts, PreflightMemory } from '../import-world.ts';
import { labelsOf, namesOf } from '../names.ts';
import { claimObject } from '../objects/claim.ts';
import { ownerOf } from '../objects/owner.ts';
import { reportObject } from '../objects/report.ts';
import { transferJob } from '../objects/transfer-job.ts';
import { dataVolumesOf } from '../observe/data-volumes-of.ts';
import { imagesOf, releaseImages } from '../observe/images-of.ts';
import type { Observation } from '../observe/observe.ts';
import { diskOf, epochOf, mayWrite } from '../observe/observe-transfer.ts';
import { encodePlan, hashSpec, type PlanRecord } from '../plan-record.ts';
import { runPreflight } from '../preflight/preflight.ts';
import { type AdoptedImages, adoptedImages } from '../preflight/preflight-images.ts';
import type { TransferPlace } from '../transfers/transfer-store.ts';
import { claimOfImage, createImage, giveUpImage, type ImageWork, imageRunOf, volumeModeOf } from './perform-image.ts';

/** Does the one thing that was decided. Everything is such that doing it again, or finding it done, is the same. */
export async function performAction(
  parts: ImportParts,
  machineImport: VirtualMachineImport,
  observation: Observation,
  action: Action,
  fieldFindings: readonly Finding[],
  options: CallOptions = {},
): Promise<void> {
  const work = new ImportWork(parts, machineImport, observation, options);
  switch (action.type) {
    case 'none':
    case 'wait':
    case 'stall':
      return;
    case 'addFinalizer':
      return work.setFinalizers([...(machineImport.metadata.finalizers ?? []), IMPORT_FINALIZER]);
    case 'removeFinalizer':
      return work.letGo();
    case 'cleanUp':
      return work.cleanUp();
    case 'stopTransfers':
      return work.stopTransfers();
    case 'restart':
      return work.beginAnew();
    case 'runPreflight':
      return work.lookAhead(fieldFindings);
    case 'createVolume':
      return work.createVolume(action.disk);
    case 'createImage':
      return work.createImage(action.disk);
    case 'giveUpImage':
      return work.giveUpImage(action.disk, action);
    case 'startTransfer':
      return work.startTransfer(action.disk, action.epoch);
    case 'createMachine':
      return work.createMachine();
    case 'finish':
      return work.finish();
    case 'shutDownSource':
    case 'powerOffSource':
      throw new Error(`no source here has power, yet ${action.type} was decided`);
  }
}

class ImportWork {
  readonly #parts: ImportParts;
  readonly #import: VirtualMachineImport;
  readonly #observation: Observation;
  readonly #options: CallOptions;
  readonly #uid: string;
  readonly #namespace: string;

  constructor(parts: ImportParts, machineImport: VirtualMachineImport, observation: Observation, options: CallOptions) {
    this.#parts = parts;
    this.#import = machineImport;
    this.#observation = observation;
    this.#options = options;
    this.#uid = machineImport.metadata.uid ?? '';
    this.#namespace = machineImport.metadata.namespace ?? '';
  }

  async setFinalizers(finalizers: readonly string[]): Promise<void> {
    const { resourceVersion } = this.#import.metadata;
    const patch = { metadata: { finalizers, ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
    await this.#parts.cluster.patch(virtualMachineImportKind, refOf(this.#import), patch, this.#options);
  }

  async letGo(): Promise<void> {
    const { finalizers = [] } = this.#import.metadata;
    // Those that a machine has are all that is left here.
    await this.#releaseImages();
    await this.setFinalizers(finalizers.filter((each) => each !== IMPORT_FINALIZER));
    this.#parts.transfers.forget(this.#uid);
    for (const { index } of this.#observation.seen.disks) this.#parts.slots.release(namesOf(this.#uid).transfer(index));
    this.#parts.preflights.delete(this.#uid);
    for (const id of this.#parts.live.keys()) if (id.startsWith(`${this.#uid}.`)) this.#parts.live.delete(id);
  }

  /** Nothing is forced: a Pod that still writes is waited for, and its volume goes after it. */
  async cleanUp(): Promise<void> {
    const { leftovers } = this.#observation.seen;
    for (const { kind, name, isGoing } of leftovers) {
      if (!isGoing) await this.#parts.cluster.delete(kindOf(kind), { namespace: this.#namespace, name }, this.#options);
    }
  }

  async stopTransfers(): Promise<void> {
    for (const job of this.#parts.objects.jobs(this.#uid)) {
      this.#parts.slots.release(namesOf(this.#uid).transfer(diskOf(job)));
      if (job.metadata.deletionTimestamp === undefined)
        await this.#parts.cluster.delete(jobKind, refOf(job), { ...this.#options, uid: job.metadata.uid });
    }
  }

  /** Stops what runs; when nothing writes any more, removes what was written and forgets what was decided. */
  async beginAnew(): Promise<void> {
    const { cluster, transfers, preflights } = this.#parts;
    await this.stopTransfers();
    if (await this.#hasWriter()) return;
    if (this.#observation.seen.machine.state !== 'created') await this.#removeVolumes();
    for (const { index } of this.#observation.plan?.disks ?? [])
      await transfers.reset(this.#placeOf(index), this.#options);
    preflights.delete(this.#uid);
    const { plan, report } = namesOf(this.#uid);
    for (const name of [report, plan])
      await cluster.delete(configMapKind, { namespace: this.#namespace, name }, this.#options);
  }

  async #removeVolumes(): Promise<void> {
    const { cluster } = this.#parts;
    const { metadata } = this.#import;
    // Before their claims, which would be made again.
    for (const each of await dataVolumesOf(cluster, metadata, this.#options))
      await cluster.delete(dataVolumeKind, refOf(each), this.#options);
    const list = { ...this.#options, namespace: this.#namespace, labels: { [IMPORT_UID_LABEL]: this.#uid } };
    for await (const claim of cluster.list(persistentVolumeClaimKind, list))
      await cluster.delete(persistentVolumeClaimKind, refOf(claim), this.#options);
    for (const image of await imagesOf(cluster, metadata, this.#options))
      await cluster.delete(virtualMachineImageKind, refOf(image), this.#options);
  }

  async lookAhead(fieldFindings: readonly Finding[]): Promise<void> {
    const { cluster, adapters, objects, clock, preflights, images, uploads } = this.#parts;
    const before = this.#observation.plan;
    const can = { servesImages: images !== undefined, uploads: uploads !== undefined };
    const asked = { cluster, adapters, objects, now: () => clock.now(), ...can };
    const result = await unlessChanged(
      this.#parts,
      this.#import,
      (call) => runPreflight(asked, this.#import, fieldFindings, { ...call, adopted: this.#adopted() }),
      this.#options,
    );
    const memory: PreflightMemory = { specHash: hashSpec(this.#import.spec), ranAt: clock.now(), ...result };
    const isBegun = this.#observation.seen.disks.some(({ epoch, volume }) => epoch > 0 || volume.state !== 'absent');
    if (before !== undefined && isBegun && result.plan !== undefined && !hasSameVolumes(before, result.plan)) {
      const message = 'the edited import would need other volumes than those it has begun to fill';
      const changed: Finding = { severity: 'blocker', code: 'ImportChanged', message, subject: 'spec' };
      preflights.set(this.#uid, { ...memory, findings: [changed, ...result.findings], plan: before });
      return;
    }
    if (result.plan !== undefined) await this.#storePlan(result.plan);
    // What an edit broke leaves the plan in force as it was: volumes are found by it.
    preflights.set(this.#uid, { ...memory, plan: result.plan ?? before });
  }

  /** What an import has begun with stays, also when its spec is edited. */
  #adopted(): AdoptedImages | undefined {
    const { plan, seen } = this.#observation;
    const isAdopting = seen.history === 'imagesReady' || plan?.disks.some(({ image }) => image?.isAdopted === true);
    return isAdopting === true ? adoptedImages(this.#import) : undefined;
  }

  async createVolume(index: number): Promise<void> {
    const image = this.#imageWork(index);
    const claim =
      image === undefined
        ? claimObject(this.#uid, this.#namespace, this.#planOf(index))
        : await claimOfImage(image, this.#options);
    await unlessThere(this.#parts.cluster.create(persistentVolumeClaimKind, claim, this.#options));
  }

  async startTransfer(index: number, epoch: number): Promise<void> {
    // Watches may lag behind: the API itself is asked whether anybody may still write.
    if (await this.#hasWriter(index)) return;
    const { slots } = this.#parts;
    const wanted = { id: namesOf(this.#uid).transfer(index), host: this.#observation.plan?.sourceHost };
    if (slots.take(wanted) !== undefined) return;
    const place = this.#placeOf(index);
    this.#parts.live.delete(namesOf(this.#uid).transfer(index));
    const disk = this.#planOf(index);
    const imaged = this.#imageWork(index);
    const image = imaged && (await imageRunOf(imaged, this.#options));
    await this.#parts.transfers.begin(place, epoch, { ...this.#options, image });
    const volumeMode = imaged === undefined ? disk.volumeMode : await volumeModeOf(imaged, this.#options);
    const handsOut = imaged?.disk.image.backend === 'upload' ? 'upload' : 'image';
    const serves = image?.stage === 'serve' ? handsOut : undefined;
    const job = transferJob({ ...place, disk: { ...disk, volumeMode }, epoch, serves }, this.#parts.worker);
    await unlessThere(this.#parts.cluster.create(jobKind, job, this.#options));
    await this.#removeRunsBefore(index, epoch - 1);
  }

  /** The last run's Job stays, with what its Pod logged; a disk that is tried for days would otherwise leave hundreds. */
  async #removeRunsBefore(index: number, epoch: number): Promise<void> {
    for (const job of this.#parts.objects.jobs(this.#uid)) {
      const { uid, deletionTimestamp } = job.metadata;
      if (diskOf(job) !== index || !(epochOf(job) < epoch) || deletionTimestamp !== undefined) continue;
      await this.#parts.cluster.delete(jobKind, refOf(job), { ...this.#options, uid });
    }
  }

  async createImage(index: number): Promise<void> {
    const work = this.#imageWork(index);
    if (work !== undefined) await unlessThere(createImage(work, this.#options));
  }

  async giveUpImage(index: number, why: { readonly code: ProblemCode; readonly message: string }): Promise<void> {
    const work = this.#imageWork(index);
    if (work !== undefined) await giveUpImage(work, why, this.#options);
  }

  async createMachine(): Promise<void> {
    const { plan } = this.#observation;
    if (plan === undefined) throw new Error('a machine is to be made without a plan');
    const runStrategy = this.#import.spec.run ? plan.hardware.runStrategy : 'Halted';
    const machine = virtualMachineObject(
      { ...plan.hardware, namespace: this.#namespace, runStrategy },
      {
        labels: { ...labelsOf(this.#uid), [IMPORTED_LABEL]: 'true' },
        // Upstream gives none to a machine on images, whose volumes Harvester finds by themselves.
        annotations: plan.disks.some(({ image }) => image !== undefined)
          ? {}
          : claimTemplates(this.#uid, this.#namespace, plan),
      },
    );
    await unlessThere(this.#parts.cluster.create(virtualMachineKind, machine, this.#options));
  }

  async finish(): Promise<void> {
    await this.stopTransfers();
    await this.#releaseImages();
    const { plan, results } = this.#observation;
    // An import of the old controller has neither.
    if (plan === undefined) return;
    const { cluster, clock, airliftVersion } = this.#parts;
    const owner = ownerOf(this.#import);
    const facts = { machineImport: this.#import, owner, plan, results, finishedAt: clock.now(), airliftVersion };
    await unlessThere(cluster.create(configMapKind, reportObject(facts), this.#options));
  }

  async #hasWriter(disk?: number): Promise<boolean> {
    const labels = { [IMPORT_UID_LABEL]: this.#uid };
    for await (const pod of this.#parts.cluster.list(podKind, {
      ...this.#options,
      namespace: this.#namespace,
      labels,
    })) {
      if (mayWrite(pod) && (disk === undefined || diskOf(pod) === disk)) return true;
    }
    return false;
  }

  async #storePlan(plan: PlanRecord): Promise<void> {
    const configMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: namesOf(this.#uid).plan,
        namespace: this.#namespace,
        labels: labelsOf(this.#uid),
        ownerReferences: [ownerOf(this.#import)],
      },
      binaryData: encodePlan(plan),
    };
    await this.#parts.cluster.apply(configMapKind, configMap, {
      ...this.#options,
      fieldManager: 'airlift',
      force: true,
    });
  }

  /** An import without a plan may be the old controller's. */
  async #releaseImages(): Promise<void> {
    const hasNone = this.#observation.plan?.disks.every(({ image }) => image === undefined);
    if (hasNone !== true) await releaseImages(this.#parts.cluster, this.#import.metadata, this.#options);
  }

  #placeOf(disk: number): TransferPlace {
    return { namespace: this.#namespace, owner: ownerOf(this.#import), disk };
  }

  /** Undefined for a disk that becomes no image. */
  #imageWork(index: number): ImageWork | undefined {
    const disk = this.#planOf(index);
    const { image } = disk;
    if (image === undefined) return undefined;
    const place = this.#placeOf(index);
    return {
      parts: this.#parts,
      machineImport: this.#import,
      observation: this.#observation,
      place,
      disk: { ...disk, image },
    };
  }

  #planOf(index: number) {
    const disk = this.#observation.plan?.disks.find((each) => each.index === index);
    if (disk === undefined) throw new Error(`disk ${index} is not in the plan`);
    return disk;
  }
}

/** Somebody, most likely ourselves a moment ago, has made it; whether it is what it should be is seen the next time. */
async function unlessThere(making: Promise<unknown>): Promise<void> {
  try {
    await making;
  } catch (error) {
    if (!isProblem(error, 'ClusterObjectExists')) throw error;
  }
}

function hasSameVolumes(one: PlanRecord, other: PlanRecord): boolean {
  const key = ({ disks }: PlanRecord) =>
    JSON.stringify(
      disks.map(({ index, id, virtualSizeBytes, claimName, storageClass, accessMode, volumeMode, image }) => [
        index,
        id,
        virtualSizeBytes,
        claimName,
        storageClass,
        accessMode,
        volumeMode,
        image?.name,
        image?.backend,
      ]),
    );
  return one.machineId === other.machineId && key(one) === key(other);
}

/** From it Harvester's page offers to keep or remove a machine's volumes (ruling 19). */
function claimTemplates(uid: string, namespace: string, plan: PlanRecord): Record<string, string> {
  const templates = plan.disks.map((disk) => {
    const { metadata, spec } = claimObject(uid, namespace, disk);
    return { metadata: { name: metadata.name }, spec };
  });
  return { 'harvesterhci.io/volumeClaimTemplates': JSON.stringify(templates) };
}

function kindOf(kind: string): ResourceKind {
  const kinds = [jobKind, podKind, configMapKind, dataVolumeKind, persistentVolumeClaimKind, virtualMachineImageKind];
  const known = kinds.find((each) => each.kind === kind);
  if (known === undefined) throw new ProblemError('ClusterKindMissing', `nothing here removes objects of kind ${kind}`);
  return known;
}
