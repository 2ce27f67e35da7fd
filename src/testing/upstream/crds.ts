/**
 * The CRDs of Harvester's vm-import-controller v1.8, as that controller applies them when it starts: written down from its behaviour, not derived from our schemas, which are judged by
 * them (reference: harvester-vm-import.md, section 1).
 */

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string', nullable: true };
const integer: Schema = { type: 'integer' };
const integerPointer: Schema = { type: 'integer', nullable: true };
const booleanPointer: Schema = { type: 'boolean', nullable: true };
const nicModel: Schema = {
  ...text,
  enum: ['e1000', 'e1000e', 'ne2k_pci', 'pcnet', 'rtl8139', 'virtio', ''],
};
const object = (properties: Readonly<Record<string, Schema>>): Schema => ({ type: 'object', properties });
const list = (items: Schema): Schema => ({ type: 'array', nullable: true, items });

const secret = object({ name: text, namespace: text });
const conditions = list(
  object({ type: text, status: text, lastUpdateTime: text, lastTransitionTime: text, reason: text, message: text }),
);
const sourceStatus = object({ status: text, conditions });

const schemas = {
  VmwareSource: object({
    spec: object({ endpoint: text, dc: text, credentials: secret }),
    status: sourceStatus,
  }),
  OpenstackSource: object({
    spec: object({
      endpoint: text,
      region: text,
      credentials: secret,
      uploadImageRetryCount: integer,
      uploadImageRetryDelay: integer,
    }),
    status: sourceStatus,
  }),
  OvaSource: object({
    spec: object({ url: text, httpTimeoutSeconds: integerPointer, credentials: { ...secret, nullable: true } }),
    status: sourceStatus,
  }),
  VirtualMachineImport: object({
    spec: object({
      sourceCluster: object({
        kind: text,
        namespace: text,
        name: text,
        uid: text,
        apiVersion: text,
        resourceVersion: text,
        fieldPath: text,
      }),
      virtualMachineName: text,
      folder: text,
      networkMapping: list(object({ sourceNetwork: text, destinationNetwork: text, networkInterfaceModel: nicModel })),
      defaultNetworkInterfaceModel: nicModel,
      storageClass: text,
      defaultDiskBusType: text,
      forcePowerOff: booleanPointer,
      gracefulShutdownTimeoutSeconds: integer,
      skipPreflightChecks: booleanPointer,
    }),
    status: object({
      importStatus: text,
      importedVirtualMachineName: text,
      importConditions: conditions,
      diskImportStatus: list(
        object({
          diskName: text,
          diskSize: integer,
          diskLocalPath: text,
          diskRoute: text,
          VirtualMachineImage: text,
          diskConditions: conditions,
          busType: text,
        }),
      ),
      newVirtualMachine: text,
    }),
  }),
} as const;

export type UpstreamKind = keyof typeof schemas;
export const upstreamKinds = Object.keys(schemas) as readonly UpstreamKind[];

export function upstreamSchema(kind: UpstreamKind): Schema {
  return schemas[kind];
}

/** As they lie in a cluster, with the bookkeeping that Rancher's apply leaves on them. */
export const upstreamCrds = upstreamKinds.map((kind) => {
  const singular = kind.toLowerCase();
  const plural = `${singular}s`;
  const jsonPath = kind === 'VirtualMachineImport' ? '.status.importStatus' : '.status.status';
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.migration.harvesterhci.io`,
      annotations: {
        'objectset.rio.cattle.io/applied': 'H4sIAAAAAAAA/wEAAP//AAAAAAAAAAA=',
        'objectset.rio.cattle.io/id': '',
      },
      labels: { 'objectset.rio.cattle.io/hash': '4f9d6f2a2bd0bb7f8f0a1f7f6ad5f9b7c1f5c9d0' },
    },
    spec: {
      group: 'migration.harvesterhci.io',
      names: { kind, plural, singular },
      preserveUnknownFields: false,
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1beta1',
          served: true,
          storage: true,
          additionalPrinterColumns: [{ name: 'Status', type: 'string', jsonPath }],
          schema: { openAPIV3Schema: schemas[kind] },
          subresources: { status: {} },
        },
      ],
    },
  };
});
