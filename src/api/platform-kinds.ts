import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import type { AccessMode, ObjectCondition, PersistentVolumeClaimSpec, VolumeMode } from './core-kinds.ts';

/** Kinds of KubeVirt, CDI, Harvester and Multus, with the fields that we read or write. Any of them may not be installed. */

export interface NetworkAttachmentDefinition extends KubernetesObject {
  readonly spec?: { readonly config?: string };
}
export const networkAttachmentDefinitionKind: ResourceKind<NetworkAttachmentDefinition> = {
  apiVersion: 'k8s.cni.cncf.io/v1',
  kind: 'NetworkAttachmentDefinition',
  plural: 'network-attachment-definitions',
  isNamespaced: true,
};

export interface VirtualMachine extends KubernetesObject {
  readonly spec?: {
    readonly runStrategy?: string;
    readonly template?: {
      readonly metadata?: {
        readonly labels?: Readonly<Record<string, string>>;
        readonly annotations?: Readonly<Record<string, string>>;
      };
      readonly spec?: VirtualMachineSpec;
    };
  };
  readonly status?: {
    readonly created?: boolean;
    readonly ready?: boolean;
    /** Such as `Running`, `Stopped` or `ErrorUnschedulable`. */
    readonly printableStatus?: string;
    readonly conditions?: readonly ObjectCondition[];
  };
}
/** As far as it is read again: which volumes a machine has. What is written is made by the mapping, and judged by KubeVirt itself. */
export interface VirtualMachineSpec {
  readonly evictionStrategy?: string;
  readonly domain?: object;
  readonly networks?: readonly object[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly persistentVolumeClaim?: { readonly claimName: string };
    readonly dataVolume?: { readonly name: string };
  }[];
}
export const virtualMachineKind: ResourceKind<VirtualMachine> = {
  apiVersion: 'kubevirt.io/v1',
  kind: 'VirtualMachine',
  plural: 'virtualmachines',
  isNamespaced: true,
};

/** Harvester's. Has no status subresource in effect: its status is patched as part of the object. */
export interface VirtualMachineImage extends KubernetesObject {
  readonly spec?: {
    readonly displayName?: string;
    readonly sourceType?: 'download' | 'upload' | 'export-from-volume' | 'restore' | 'clone';
    readonly url?: string;
    readonly checksum?: string;
    readonly retry?: number;
    readonly backend?: 'backingimage' | 'cdi' | '';
    readonly targetStorageClassName?: string;
    readonly storageClassParameters?: Readonly<Record<string, string>> | null;
    readonly pvcName?: string;
    readonly pvcNamespace?: string;
  };
  readonly status?: {
    /** Per cent. */
    readonly progress?: number;
    /** Bytes of the file. */
    readonly size?: number;
    /** Bytes that a guest sees. */
    readonly virtualSize?: number;
    readonly storageClassName?: string;
    /** Attempts that failed. */
    readonly failed?: number;
    readonly lastFailedTime?: string;
    readonly conditions?: readonly ObjectCondition[];
  };
}
export const virtualMachineImageKind: ResourceKind<VirtualMachineImage> = {
  apiVersion: 'harvesterhci.io/v1beta1',
  kind: 'VirtualMachineImage',
  plural: 'virtualmachineimages',
  isNamespaced: true,
};

export interface ClaimPropertySet {
  readonly accessModes?: readonly AccessMode[];
  readonly volumeMode?: VolumeMode;
}
/** CDI's knowledge of a StorageClass, under the class's name. */
export interface StorageProfile extends KubernetesObject {
  readonly spec?: { readonly claimPropertySets?: readonly ClaimPropertySet[] };
  /** The first set is the one to prefer. Empty where CDI does not know the provisioner. */
  readonly status?: {
    readonly provisioner?: string;
    readonly storageClass?: string;
    readonly claimPropertySets?: readonly ClaimPropertySet[];
  };
}
export const storageProfileKind: ResourceKind<StorageProfile> = {
  apiVersion: 'cdi.kubevirt.io/v1beta1',
  kind: 'StorageProfile',
  plural: 'storageprofiles',
  isNamespaced: false,
};

export interface DataVolume extends KubernetesObject {
  readonly spec?: {
    readonly source?: { readonly upload?: object; readonly blank?: object };
    readonly pvc?: PersistentVolumeClaimSpec;
    readonly storage?: PersistentVolumeClaimSpec;
    readonly contentType?: 'kubevirt' | 'archive';
  };
  readonly status?: {
    /** Such as `UploadReady`, `Succeeded` or `Failed`. */
    readonly phase?: string;
    /** Such as `42.0%`. */
    readonly progress?: string;
    readonly claimName?: string;
    readonly restartCount?: number;
    readonly conditions?: readonly ObjectCondition[];
  };
}
export const dataVolumeKind: ResourceKind<DataVolume> = {
  apiVersion: 'cdi.kubevirt.io/v1beta1',
  kind: 'DataVolume',
  plural: 'datavolumes',
  isNamespaced: true,
};

/** Asked by creating it; the answer has a token that CDI's upload proxy takes for this claim, for five minutes. Nothing is stored. */
export interface UploadTokenRequest extends KubernetesObject {
  readonly spec?: { readonly pvcName: string };
  readonly status?: { readonly token?: string };
}
export const uploadTokenRequestKind: ResourceKind<UploadTokenRequest> = {
  apiVersion: 'upload.cdi.kubevirt.io/v1beta1',
  kind: 'UploadTokenRequest',
  plural: 'uploadtokenrequests',
  isNamespaced: true,
};

/** Harvester's. */
export interface Addon extends KubernetesObject {
  readonly spec?: {
    readonly enabled?: boolean;
    readonly repo?: string;
    readonly chart?: string;
    readonly version?: string;
    readonly valuesContent?: string;
  };
  readonly status?: { readonly status?: string; readonly conditions?: readonly ObjectCondition[] };
}
export const addonKind: ResourceKind<Addon> = {
  apiVersion: 'harvesterhci.io/v1beta1',
  kind: 'Addon',
  plural: 'addons',
  isNamespaced: true,
};
