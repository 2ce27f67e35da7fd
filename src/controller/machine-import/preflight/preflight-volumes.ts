import {
  type AccessMode,
  DEFAULT_STORAGE_CLASS_ANNOTATION,
  persistentVolumeClaimKind,
  type StorageClass,
  storageClassKind,
  type VolumeMode,
} from '../../../api/core-kinds.ts';
import { storageProfileKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { ImportPlan, PlannedDisk } from '../../../app/import-plan.ts';
import type { Finding } from '../../../domain/finding.ts';
import { isProblem } from '../../../domain/problems.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { Cluster } from '../../../ports/cluster.ts';
import type { ImportObjects } from '../import-world.ts';
import type { DiskPlan } from '../plan-record.ts';
import { foreignTo } from './rival.ts';
import { ownWord } from './spec-mapping.ts';

export interface VolumeParts {
  readonly cluster: Cluster;
  readonly objects: Pick<ImportObjects, 'imports'>;
}

/**
 * Which volume each disk gets (ruling 19), and what is in the way of it.
 * @param options.isOwnClaim tells claims that somebody else makes for us, such as the volumes of images
 */
export async function planVolumes(
  { cluster, objects }: VolumeParts,
  machineImport: VirtualMachineImport,
  plan: ImportPlan,
  { isOwnClaim = () => false, ...options }: CallOptions & { readonly isOwnClaim?: (name: string) => boolean },
): Promise<{ readonly disks: readonly DiskPlan[]; readonly findings: readonly Finding[] }> {
  const findings: Finding[] = [];
  const classes = new ClassReader(cluster, options);
  const disks: DiskPlan[] = [];
  const names = new Set<string>();
  for (const planned of plan.disks) {
    const own = ownWord(machineImport.spec, planned.disk.id, planned.index);
    const named = own?.storageClass ?? machineImport.spec.storageClass;
    const found = await classes.read(named);
    if ('message' in found) {
      if (!findings.some(({ message }) => message === found.message)) findings.push(found);
      continue;
    }
    const modes = await modesOf(classes, machineImport, planned, found, findings);
    const claimName =
      plan.mapped.hardware.disks[planned.index]?.claimName ?? `${plan.targetName}-disk-${planned.index}`;
    if (names.has(claimName)) {
      const message = `two disks of ${plan.targetName} would have the claim "${claimName}"`;
      findings.push({ severity: 'blocker', code: 'ImportFieldInvalid', message, subject: 'spec.disks' });
    }
    names.add(claimName);
    const foreign = isOwnClaim(claimName)
      ? undefined
      : await findForeignClaim({ cluster, objects }, machineImport, claimName, options);
    if (foreign !== undefined) findings.push(foreign);
    disks.push({
      index: planned.index,
      id: planned.disk.id,
      name: planned.disk.name,
      virtualSizeBytes: planned.virtualSizeBytes,
      ...(planned.allocation.kind === 'unknown' ? {} : { dataBytes: planned.allocation.bytes }),
      claimName,
      storageClass: found.metadata.name,
      ...modes,
    });
  }
  for (const { id, index } of machineImport.spec.disks ?? []) {
    if (plan.disks.some((each) => each.disk.id === id || each.index === index)) continue;
    const message = `spec.disks names disk ${id ?? index}, which the machine does not have`;
    findings.push({ severity: 'blocker', code: 'ImportFieldInvalid', message, subject: 'spec.disks' });
  }
  return { disks, findings };
}

interface Modes {
  readonly accessMode: AccessMode;
  readonly volumeMode: VolumeMode;
}

async function modesOf(
  classes: ClassReader,
  { spec }: VirtualMachineImport,
  { disk, index }: PlannedDisk,
  storageClass: StorageClass,
  findings: Finding[],
): Promise<Modes> {
  const own = ownWord(spec, disk.id, index);
  const common = spec.target.volume;
  const profile = await classes.readProfile(storageClass.metadata.name);
  const volumeMode = own?.volumeMode ?? common?.volumeMode ?? profile?.volumeMode ?? 'Block';
  const chosen = own?.accessMode ?? common?.accessMode ?? profile?.accessMode;
  if (chosen !== undefined) return { accessMode: chosen, volumeMode };
  if (volumeMode === 'Block' && isMigratableLonghorn(storageClass)) return { accessMode: 'ReadWriteMany', volumeMode };
  findings.push({
    severity: 'warning',
    code: 'LiveMigrationImpossible',
    message: `Disk ${disk.name} gets a ReadWriteOnce volume of class ${storageClass.metadata.name}, with which the machine cannot move to another node while it runs.`,
    subject: disk.id,
  });
  return { accessMode: 'ReadWriteOnce', volumeMode };
}

/** Longhorn's own parameter; Harvester's classes have it. */
function isMigratableLonghorn({ provisioner, parameters }: StorageClass): boolean {
  return provisioner === 'driver.longhorn.io' && parameters?.migratable === 'true';
}

/** Asks for each class once. */
class ClassReader {
  readonly #cluster: Cluster;
  readonly #options: CallOptions;
  readonly #classes = new Map<string, Promise<StorageClass | Finding>>();
  readonly #profiles = new Map<string, Promise<Partial<Modes> | undefined>>();

  constructor(cluster: Cluster, options: CallOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  read(name: string | undefined): Promise<StorageClass | Finding> {
    const key = name ?? '';
    const known = this.#classes.get(key) ?? (name === undefined ? this.#readDefault() : this.#readNamed(name));
    this.#classes.set(key, known);
    return known;
  }

  /** What CDI recommends for the class; undefined where there is no CDI, or it does not know the provisioner. */
  readProfile(name: string): Promise<Partial<Modes> | undefined> {
    const known = this.#profiles.get(name) ?? this.#readProfile(name);
    this.#profiles.set(name, known);
    return known;
  }

  async #readNamed(name: string): Promise<StorageClass | Finding> {
    const found = await this.#cluster.get(storageClassKind, { name }, this.#options);
    return found ?? missing(`there is no StorageClass "${name}"`);
  }

  /** Of several defaults Kubernetes takes the newest. */
  async #readDefault(): Promise<StorageClass | Finding> {
    const defaults: StorageClass[] = [];
    for await (const each of this.#cluster.list(storageClassKind, this.#options)) {
      if (each.metadata.annotations?.[DEFAULT_STORAGE_CLASS_ANNOTATION] === 'true') defaults.push(each);
    }
    const [newest] = defaults.toSorted((a, b) =>
      (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
    );
    return newest ?? missing('no StorageClass is the default one, and spec.storageClass names none');
  }

  async #readProfile(name: string): Promise<Partial<Modes> | undefined> {
    try {
      const profile = await this.#cluster.get(storageProfileKind, { name }, this.#options);
      const [best] = profile?.status?.claimPropertySets ?? [];
      const accessMode = best?.accessModes?.[0];
      return {
        ...(accessMode === undefined ? {} : { accessMode }),
        ...(best?.volumeMode === undefined ? {} : { volumeMode: best.volumeMode }),
      };
    } catch (error) {
      if (isProblem(error, 'ClusterKindMissing')) return undefined;
      throw error;
    }
  }
}

function missing(message: string): Finding {
  return { severity: 'blocker', code: 'StorageClassMissing', message, subject: 'spec.storageClass' };
}

async function findForeignClaim(
  { cluster, objects }: VolumeParts,
  { metadata }: VirtualMachineImport,
  name: string,
  options: CallOptions,
): Promise<Finding | undefined> {
  const { namespace = 'default' } = metadata;
  const claim = await cluster.get(persistentVolumeClaimKind, { namespace, name }, options);
  if (claim === undefined) return undefined;
  const thing = `PersistentVolumeClaim "${name}" in namespace "${namespace}"`;
  const foreign = foreignTo(metadata.uid, claim, thing, { objects, otherwise: 'VolumeExists' });
  return foreign && { severity: 'blocker', ...foreign, subject: 'spec.disks' };
}
