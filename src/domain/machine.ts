/** A virtual machine as its source describes it, in words common to all sources. */
export interface Machine {
  /** Identity on the source: the OVF `id` of the VirtualSystem, a managed object id, a UUID. */
  readonly id: string;
  /** Name on the source; may be anything. The Kubernetes name is derived from it, see kubernetes-name.ts. */
  readonly name: string;
  readonly annotation?: string;
  readonly cpu: CpuTopology;
  readonly memoryBytes: number;
  readonly firmware: 'bios' | 'efi';
  readonly isSecureBoot: boolean;
  readonly hasTpm: boolean;
  readonly guestOs?: GuestOs;
  readonly biosUuid?: string;
  readonly controllers: readonly Controller[];
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
  /** Devices that have no counterpart here or carry no data: CD drives, floppies, serial ports, graphics, sound. */
  readonly otherDevices: readonly OtherDevice[];
  /** Everything else the source says about the machine, kept as it was: `vmw:ExtraConfig`, OVF properties, product, EULA. */
  readonly settings: readonly Setting[];
}

export interface CpuTopology {
  readonly sockets: number;
  readonly coresPerSocket: number;
  readonly threadsPerCore: number;
}

export interface GuestOs {
  readonly family: 'windows' | 'linux' | 'other';
  /** The source's own word, such as `windows2019srv_64Guest` or OVF's CIM number `94`. */
  readonly id: string;
  readonly description?: string;
}

export type ControllerBus = 'ide' | 'scsi' | 'sata' | 'nvme' | 'usb' | 'virtio' | 'fibre-channel';

export interface Controller {
  readonly id: string;
  readonly bus: ControllerBus;
  /** The source's own word, such as `lsilogic`, `VirtualSCSI`, `AHCI`; empty when it gives none. */
  readonly model: string;
  readonly busNumber?: number;
}

export interface Disk {
  /** Unique within the machine. */
  readonly id: string;
  /** What people know it by: the element name or file name on the source. */
  readonly name: string;
  /** Bytes the guest sees, as the source's description says. */
  readonly virtualSizeBytes: number;
  readonly controllerId?: string;
  /** Place on the controller. */
  readonly unit?: number;
  /** Name of the disk's file on the source; absent for a disk that is created empty. */
  readonly fileName?: string;
  readonly fileSizeBytes?: number;
  /** Bytes in use as the source's description says; an estimate. */
  readonly populatedBytes?: number;
  /** The source's own name of the format, such as an OVF format URI. */
  readonly declaredFormat?: string;
  /** 1 is tried first. Absent where the source does not say; then controller and unit order decide. */
  readonly bootOrder?: number;
  readonly serial?: string;
  /** Place among the machine's disks in which a streamed source passes them; absent where any order is as good. */
  readonly readingOrder?: number;
}

export interface Nic {
  readonly id: string;
  /** The source's own word: `VmxNet3`, `E1000`, `E1000e`, `PCNet32`, `virtio`; empty when it gives none. */
  readonly model: string;
  readonly macAddress?: string;
  /** Name of the network on the source; absent when the card is not connected to any. */
  readonly network?: string;
  /** False when the source says that the card starts disconnected. */
  readonly isConnected: boolean;
}

export interface OtherDevice {
  readonly kind: string;
  readonly name: string;
}

export interface Setting {
  /** Where it comes from: `vmw:ExtraConfig`, `vmw:Config`, `Property`, `Product`, `Eula`, ... */
  readonly kind: string;
  readonly name: string;
  readonly value: string;
}
