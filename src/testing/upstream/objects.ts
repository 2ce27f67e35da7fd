import type { KubernetesObject } from '../../domain/kubernetes-object.ts';

/** Objects as people wrote them for Harvester's vm-import-controller, and as it left them behind. Plain values: nothing here comes from our own schemas. */

const API_VERSION = 'migration.harvesterhci.io/v1beta1';
const TIME = '2026-02-03T04:05:06+01:00';

export interface UpstreamObject extends KubernetesObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

type Fields = Readonly<Record<string, unknown>>;

function upstreamObject(kind: string, name: string, spec: Fields, status?: Fields): UpstreamObject {
  const metadata = { name, namespace: 'default' };
  return { apiVersion: API_VERSION, kind, metadata, spec, ...(status === undefined ? {} : { status }) };
}

/** As the Go structs come out: empty texts, no reason. */
export function upstreamCondition(type: string, status = 'True', more: Fields = {}): Fields {
  return { type, status, lastUpdateTime: TIME, lastTransitionTime: TIME, ...more };
}

const readySource = {
  status: 'clusterReady',
  conditions: [upstreamCondition('ClusterReady'), upstreamCondition('ClusterError', 'False')],
};

/** Every field of every kind is given. */
export const fullObjects: readonly UpstreamObject[] = [
  upstreamObject(
    'VmwareSource',
    'full-vmware',
    {
      endpoint: 'https://vcenter.example/sdk',
      dc: 'DC0',
      credentials: { name: 'vcenter-login', namespace: 'default' },
    },
    readySource,
  ),
  upstreamObject(
    'OpenstackSource',
    'full-openstack',
    {
      endpoint: 'https://keystone.example:5000/v3',
      region: 'RegionOne',
      credentials: { name: 'cloud-login', namespace: 'default' },
      uploadImageRetryCount: 60,
      uploadImageRetryDelay: 5,
    },
    readySource,
  ),
  upstreamObject(
    'OvaSource',
    'full-ova',
    {
      url: 'https://files.example/app.ova',
      httpTimeoutSeconds: 0,
      credentials: { name: 'files-login', namespace: 'default' },
    },
    readySource,
  ),
  upstreamObject(
    'VirtualMachineImport',
    'full-import',
    {
      sourceCluster: {
        apiVersion: API_VERSION,
        kind: 'VmwareSource',
        name: 'full-vmware',
        namespace: 'default',
        uid: '5649cac7-3871-4bb5-aab6-c72b8c18d0a2',
        resourceVersion: '17',
        fieldPath: 'spec',
      },
      virtualMachineName: 'Web 01',
      folder: '/team/web',
      networkMapping: [
        { sourceNetwork: 'VM Network', destinationNetwork: 'default/vlan1', networkInterfaceModel: 'e1000' },
        { sourceNetwork: 'dvpg-2', destinationNetwork: 'vlan2' },
      ],
      defaultNetworkInterfaceModel: 'virtio',
      storageClass: 'longhorn',
      defaultDiskBusType: 'scsi',
      forcePowerOff: true,
      gracefulShutdownTimeoutSeconds: 120,
      skipPreflightChecks: true,
    },
    {
      importStatus: 'diskImageSubmitted',
      importedVirtualMachineName: 'web01',
      importConditions: [
        upstreamCondition('VMPoweringOff'),
        upstreamCondition('VMPoweredOff'),
        upstreamCondition('VMExported', 'True', { reason: '', message: '' }),
      ],
      diskImportStatus: [
        {
          diskName: 'web01-default-disk-0.img',
          diskSize: 8_589_934_592,
          diskLocalPath: '/tmp/vm-import-controller',
          diskRoute: '',
          VirtualMachineImage: 'image-x7x9k',
          diskConditions: [upstreamCondition('VirtualMachineImageSubmitted')],
          busType: 'scsi',
        },
      ],
      newVirtualMachine: '',
    },
  ),
];

/** What the schema lets through besides: nulls wherever there may be one (not where values are listed: the list lacks null, and the server goes by it), empty texts and lists, words nobody knows, numbers without sense, nothing at all. */
export const oddObjects: readonly UpstreamObject[] = [
  upstreamObject(
    'VmwareSource',
    'null-vmware',
    { endpoint: null, dc: null, credentials: { name: null, namespace: null } },
    { status: null, conditions: null },
  ),
  upstreamObject('OpenstackSource', 'odd-openstack', {
    endpoint: '',
    region: null,
    credentials: {},
    uploadImageRetryCount: -1,
    uploadImageRetryDelay: 0,
  }),
  upstreamObject(
    'OvaSource',
    'null-ova',
    { url: null, httpTimeoutSeconds: null, credentials: null },
    { conditions: [] },
  ),
  upstreamObject('OvaSource', 'odd-ova', { url: 'ftp:// nowhere', httpTimeoutSeconds: -7, credentials: { name: '' } }),
  upstreamObject(
    'VirtualMachineImport',
    'null-import',
    {
      sourceCluster: {
        apiVersion: null,
        kind: null,
        name: null,
        namespace: null,
        uid: null,
        resourceVersion: null,
        fieldPath: null,
      },
      virtualMachineName: null,
      folder: null,
      networkMapping: null,
      storageClass: null,
      defaultDiskBusType: null,
      forcePowerOff: null,
      skipPreflightChecks: null,
    },
    {
      importStatus: null,
      importedVirtualMachineName: null,
      importConditions: null,
      diskImportStatus: null,
      newVirtualMachine: null,
    },
  ),
  upstreamObject(
    'VirtualMachineImport',
    'odd-import',
    {
      sourceCluster: { kind: 'vmWAREsource', apiVersion: 'v1' },
      virtualMachineName: 'Ünnämed (1)',
      folder: '',
      networkMapping: [{}, { sourceNetwork: null, destinationNetwork: 'a/b/c', networkInterfaceModel: '' }],
      defaultNetworkInterfaceModel: '',
      storageClass: '',
      defaultDiskBusType: 'ide-of-old',
      gracefulShutdownTimeoutSeconds: -3,
      skipPreflightChecks: null,
    },
    {
      importStatus: 'stateOfAnotherVersion',
      importConditions: [{}, { type: '', status: 'Maybe', lastUpdateTime: 'yesterday' }],
      diskImportStatus: [{ diskName: null, diskConditions: null, busType: '' }, {}],
    },
  ),
  { apiVersion: API_VERSION, kind: 'VirtualMachineImport', metadata: { name: 'empty-import', namespace: 'default' } },
  upstreamObject('VirtualMachineImport', 'hollow-import', {}, {}),
];

/** What the old controller leaves in each of its states, and before the first. */
export const upstreamStates = [
  '',
  'virtualMachineImportValid',
  'sourceReady',
  'disksExported',
  'diskImageSubmitted',
  'diskImagesReady',
  'diskImageFailed',
  'virtualMachineCreated',
  'virtualMachineRunning',
  'virtualMachineImportInvalid',
  'VMMigrationFailed',
] as const;
export type UpstreamState = (typeof upstreamStates)[number];

const FINALIZER = 'wrangler.cattle.io/virtualmachine-import-controller';
const poweredOff = ['VMShutdownGuest', 'VMPoweredOff'];
const exported = [...poweredOff, 'VMExported'];
const importConditions: Partial<Record<UpstreamState, readonly string[]>> = {
  sourceReady: poweredOff,
  disksExported: exported,
  diskImageSubmitted: exported,
  diskImagesReady: exported,
  diskImageFailed: exported,
  virtualMachineCreated: exported,
  virtualMachineRunning: exported,
  VMMigrationFailed: poweredOff,
};
const submitted = ['VirtualMachineImageSubmitted'];
const ready = [...submitted, 'VirtualMachineImageReady'];
const diskConditions: Partial<Record<UpstreamState, readonly string[]>> = {
  disksExported: [],
  diskImageSubmitted: submitted,
  diskImagesReady: ready,
  diskImageFailed: [...submitted, 'VirtualMachineImageFailed'],
  virtualMachineCreated: ready,
  virtualMachineRunning: ready,
};

/** An import of one disk as found in that state; its name follows from the state unless given. `image` is the VirtualMachineImage of its disk. */
export function importInState(
  state: UpstreamState,
  options: { readonly name?: string; readonly namespace?: string; readonly image?: string } = {},
): UpstreamObject {
  const { name = `import-${state.toLowerCase() || 'new'}`, namespace = 'default' } = options;
  const spec = {
    sourceCluster: { apiVersion: API_VERSION, kind: 'OvaSource', name: 'full-ova', namespace },
    virtualMachineName: name,
    storageClass: 'longhorn',
    skipPreflightChecks: null,
  };
  const metadata = { name, namespace, ...(state === '' ? {} : { finalizers: [FINALIZER] }) };
  const status = statusOf(state, name, options.image ?? `image-${name}`);
  return { apiVersion: API_VERSION, kind: 'VirtualMachineImport', metadata, spec, ...(status && { status }) };
}

function statusOf(state: UpstreamState, name: string, image: string): Fields | undefined {
  if (state === '') return undefined;
  const disk = diskConditions[state];
  const hasName = state !== 'virtualMachineImportValid' && state !== 'virtualMachineImportInvalid';
  const conditions = (importConditions[state] ?? []).map((type) => upstreamCondition(type));
  if (state === 'VMMigrationFailed') {
    conditions.push(
      upstreamCondition('VMExportFailed', 'True', { message: 'error exporting VM: unexpected status 404' }),
    );
  }
  return {
    importStatus: state,
    ...(hasName ? { importedVirtualMachineName: name } : {}),
    ...(conditions.length > 0 ? { importConditions: conditions } : {}),
    ...(disk ? { diskImportStatus: [exportedDisk(name, disk.length === 0 ? undefined : image, disk)] } : {}),
  };
}

function exportedDisk(name: string, image: string | undefined, conditions: readonly string[]): Fields {
  return {
    diskName: `${name}-disk-0.img`,
    diskSize: 1_073_741_824,
    diskLocalPath: '/tmp/vm-import-controller',
    ...(image === undefined ? {} : { VirtualMachineImage: image }),
    ...(conditions.length === 0 ? {} : { diskConditions: conditions.map((type) => upstreamCondition(type)) }),
    busType: 'virtio',
  };
}
