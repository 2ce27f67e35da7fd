import type { FidelityRow } from '../fidelity.ts';
import type { Finding } from '../finding.ts';

/** The buses that KubeVirt has for disks. Its `scsi` is virtio-scsi, its `sata` an ICH9 AHCI controller. */
export type DiskBus = 'virtio' | 'sata' | 'scsi' | 'usb';

/** The card models that every KubeVirt admits and that a source can have. */
export type NicModel = 'virtio' | 'e1000' | 'e1000e' | 'pcnet' | 'rtl8139' | 'ne2k_pci';

export interface MappingOptions {
  readonly targetName: string;
  readonly namespace?: string;
  /** From a network's name on the source to `namespace/name` of a NetworkAttachmentDefinition, or `pod`. */
  readonly networks: ReadonlyMap<string, string>;
  /** The user's word for all disks; stands above the table, drivers or not. */
  readonly diskBus?: Exclude<DiskBus, 'usb'>;
  /** Of disks whose controller the source does not name; chosen by the table unless told. */
  readonly defaultDiskBus?: DiskBus;
  /** The user's word for single disks, by their id; stands above everything else. */
  readonly disks?: ReadonlyMap<string, { readonly bus?: DiskBus | undefined; readonly claimName?: string | undefined }>;
  /** The user's word for the cards on a network of the source. */
  readonly nicModels?: ReadonlyMap<string, NicModel>;
  /** Of cards whose own model has no counterpart; chosen by the table unless told. */
  readonly defaultNicModel?: NicModel;
  /**
   * Cards whose network has no counterpart. `onPod` (the default): the first of them goes to the pod network. `leftOut`: all are left out, unless the machine would have no card at all.
   */
  readonly unmappedNics?: 'onPod' | 'leftOut';
  readonly storageClassName?: string;
  readonly diskFormat: 'qcow2' | 'raw';
  /** Halted unless said otherwise: a machine that starts by itself may meet its original on the network, or start before its disks are filled. */
  readonly runStrategy?: RunStrategy;
  /** Whether doubt that the guest will start is told (the default) or stops the import. */
  readonly bootDoubt?: 'warn' | 'block';
}

export type RunStrategy = 'Halted' | 'RerunOnFailure' | 'Always' | 'Manual';

/** A machine as it will be on KubeVirt, with an account of everything the source said about it. */
export interface MappedMachine {
  readonly hardware: MappedHardware;
  /** Every property of the source, each kept, changed or dropped. */
  readonly fidelity: readonly FidelityRow[];
  readonly findings: readonly Finding[];
}

/** Plain facts from which a manifest is rendered; all of them admissible to KubeVirt. */
export interface MappedHardware {
  readonly name: string;
  readonly namespace?: string;
  readonly storageClassName?: string;
  readonly runStrategy: RunStrategy;
  readonly annotations: Readonly<Record<string, string>>;
  readonly platform: MappedPlatform;
  /** In the order of the source's disks; `bootOrder` says which is tried first. */
  readonly disks: readonly MappedDisk[];
  /** In the order of the source's cards, without those that were dropped. */
  readonly nics: readonly MappedNic[];
}

export interface MappedPlatform {
  readonly cpu: { readonly sockets: number; readonly cores: number; readonly threads: number };
  readonly memoryMebibytes: number;
  readonly firmware: 'bios' | 'efi';
  /** Implies System Management Mode, without which KubeVirt refuses Secure Boot. */
  readonly isSecureBoot: boolean;
  /** Whether TPM contents and EFI variables outlive a power-off. */
  readonly hasPersistentState: boolean;
  readonly hasTpm: boolean;
  readonly uuid?: string;
}

export interface MappedDisk {
  /** Of the source's disk. */
  readonly id: string;
  /** Of the volume: `disk-0`, `disk-1`, ... */
  readonly name: string;
  readonly claimName: string;
  readonly bus: DiskBus;
  /** 1 is tried first; unique. */
  readonly bootOrder: number;
  readonly serial?: string;
}

export interface MappedNic {
  readonly id: string;
  readonly name: string;
  readonly model: NicModel;
  readonly macAddress?: string;
  /** `pod`, or `namespace/name` of a NetworkAttachmentDefinition. */
  readonly network: string;
  readonly isConnected: boolean;
}
