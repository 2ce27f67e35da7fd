/** As in rbac.authorization.k8s.io/v1. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

const CORE = '';
const MIGRATION = 'migration.harvesterhci.io';
const READ = ['get', 'list', 'watch'];

/**
 * What the controller may do in all namespaces, which is all that it does: imports lie where their users put them, and make their objects there. Narrower than what upstream's chart
 * asks for (reference section 8.2), except that Jobs and Pods are new.
 */
export const clusterRights: readonly PolicyRule[] = [
  { apiGroups: [MIGRATION], resources: ['virtualmachineimports'], verbs: [...READ, 'patch'] },
  { apiGroups: [MIGRATION], resources: ['vmwaresources', 'openstacksources', 'ovasources'], verbs: READ },
  {
    apiGroups: [MIGRATION],
    resources: ['virtualmachineimports/status', 'vmwaresources/status', 'openstacksources/status', 'ovasources/status'],
    verbs: ['patch'],
  },
  // For owner references that block deletion, where the cluster insists on it.
  { apiGroups: [MIGRATION], resources: ['virtualmachineimports/finalizers'], verbs: ['update'] },
  // One by one, by the name that a source gives: no listing.
  { apiGroups: [CORE], resources: ['secrets'], verbs: ['get'] },
  {
    apiGroups: [CORE],
    resources: ['configmaps'],
    verbs: ['get', 'list', 'create', 'patch', 'update', 'delete'],
  },
  { apiGroups: [CORE], resources: ['persistentvolumeclaims'], verbs: [...READ, 'create', 'delete'] },
  { apiGroups: [CORE], resources: ['pods'], verbs: [...READ, 'delete'] },
  // One by one: whether the node of a worker that is silent still answers.
  { apiGroups: [CORE], resources: ['nodes'], verbs: ['get'] },
  { apiGroups: [CORE], resources: ['events'], verbs: ['get', 'list', 'create', 'patch'] },
  { apiGroups: [CORE], resources: ['resourcequotas'], verbs: ['list'] },
  { apiGroups: ['batch'], resources: ['jobs'], verbs: [...READ, 'create', 'delete'] },
  { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['get', 'list'] },
  { apiGroups: ['cdi.kubevirt.io'], resources: ['storageprofiles'], verbs: ['get'] },
  { apiGroups: ['cdi.kubevirt.io'], resources: ['datavolumes'], verbs: ['get', 'list', 'create', 'delete'] },
  // For one claim each, of an import's own DataVolume.
  { apiGroups: ['upload.cdi.kubevirt.io'], resources: ['uploadtokenrequests'], verbs: ['create'] },
  { apiGroups: ['kubevirt.io'], resources: ['virtualmachines'], verbs: [...READ, 'create'] },
  { apiGroups: ['k8s.cni.cncf.io'], resources: ['network-attachment-definitions'], verbs: ['get'] },
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  // Whether our kinds are of the version that is needed.
  {
    apiGroups: ['apiextensions.k8s.io'],
    resources: ['customresourcedefinitions'],
    resourceNames: ['virtualmachineimports', 'vmwaresources', 'openstacksources', 'ovasources'].map(
      (plural) => `${plural}.${MIGRATION}`,
    ),
    verbs: ['get'],
  },
  // Whether the controller that this one replaces still runs.
  { apiGroups: ['apps'], resources: ['deployments'], verbs: ['list'] },
  { apiGroups: ['harvesterhci.io'], resources: ['addons'], verbs: ['get'] },
  {
    apiGroups: ['harvesterhci.io'],
    resources: ['virtualmachineimages'],
    verbs: ['get', 'list', 'create', 'patch', 'delete'],
  },
];

/** What it may do in its own namespace besides: be elected, and keep the certificate of its endpoint. */
export function ownRights(names: { readonly lease: string; readonly endpointSecret: string }): readonly PolicyRule[] {
  const leases = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };
  const secrets = { apiGroups: [CORE], resources: ['secrets'] };
  return [
    // A name cannot be asked of an object that is not there yet.
    { ...leases, verbs: ['create'] },
    { ...leases, resourceNames: [names.lease], verbs: ['get', 'update', 'patch'] },
    { ...secrets, verbs: ['create'] },
    { ...secrets, resourceNames: [names.endpointSecret], verbs: ['get', 'update', 'patch'] },
  ];
}
