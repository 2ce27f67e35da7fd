import type { Secret } from '../../api/core-kinds.ts';
import { API_VERSION, MANAGED_BY_LABEL } from '../../api/literals.ts';
import type { StoredOvaSource } from '../../api/ova-source.ts';
import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import type { OwnerReference } from '../../domain/kubernetes-object.ts';

/** An import as a command line asks for it: what is written into the cluster for it. */
export interface ImportWish {
  /** Of the import, its source and its Secret. */
  readonly name: string;
  readonly namespace: string;
  /** The source as the user wrote it, without secrets: by it the same command is known again. */
  readonly origin: string;
  readonly source: SourceWish;
  readonly spec: NonNullable<StoredVirtualMachineImport['spec']>;
}

export interface SourceWish {
  /** Without user and password. */
  readonly url: string;
  /** What goes into its Secret, by key: `username`, `password`, `ca.crt`. */
  readonly secret?: Readonly<Record<string, string>>;
  readonly insecure?: boolean | undefined;
}

/** On what the command line made, instead of the controller. */
export const MADE_BY_CLI = 'airlift-cli';
/** On an import: `ImportWish.origin`. */
export const ORIGIN_ANNOTATION = 'migration.harvesterhci.io/origin';

const labels = { [MANAGED_BY_LABEL]: MADE_BY_CLI };

export function importObject({ name, namespace, origin, spec }: ImportWish): StoredVirtualMachineImport {
  return {
    apiVersion: API_VERSION,
    kind: 'VirtualMachineImport',
    metadata: { name, namespace, labels, annotations: { [ORIGIN_ANNOTATION]: origin } },
    spec: { ...spec, sourceCluster: { apiVersion: API_VERSION, kind: 'OvaSource', namespace, name } },
  };
}

export function sourceObject({ name, namespace, source }: ImportWish, owner?: OwnerReference): StoredOvaSource {
  return {
    apiVersion: API_VERSION,
    kind: 'OvaSource',
    metadata: { name, namespace, labels, ...(owner && { ownerReferences: [owner] }) },
    spec: {
      url: source.url,
      ...(hasSecret(source) ? { credentials: { name: secretName(name), namespace } } : {}),
      ...(source.insecure === true ? { insecureSkipTLSVerify: true } : {}),
    },
  };
}

/** Undefined where there is nothing to keep in one. */
export function secretObject({ name, namespace, source }: ImportWish, owner?: OwnerReference): Secret | undefined {
  if (!hasSecret(source)) return undefined;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretName(name), namespace, labels, ...(owner && { ownerReferences: [owner] }) },
    stringData: { ...source.secret },
  };
}

/** Of an import, for what shall go with it. */
export function ownerReferenceTo({ metadata: { name, uid = '' } }: StoredVirtualMachineImport): OwnerReference {
  return { apiVersion: API_VERSION, kind: 'VirtualMachineImport', name, uid };
}

function hasSecret({ secret = {} }: SourceWish): boolean {
  return Object.keys(secret).length > 0;
}

/** Of the Secret of an import's source. */
export function secretName(name: string): string {
  return `${name}-source`;
}
