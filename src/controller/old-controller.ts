import { type Deployment, deploymentKind } from '../api/core-kinds.ts';
import { ADDON_NAME, CONTROLLER_NAME, CONTROLLER_NAMESPACE } from '../api/literals.ts';
import { type Addon, addonKind } from '../api/platform-kinds.ts';
import { isAirliftImage } from '../domain/airlift-image.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Cluster, ListOptions } from '../ports/cluster.ts';

export interface OldControllerSight {
  /** What was found of Harvester's vm-import-controller, in a sentence without its full stop; undefined when it does not run. */
  readonly found: string | undefined;
  /** What could not be looked at for want of rights. */
  readonly unseen: readonly string[];
}

const NAME_LABEL = 'app.kubernetes.io/name';
const INSTANCE_LABEL = 'app.kubernetes.io/instance';
/** Of the chart, which the released template puts into NAME_LABEL (reference section 8.1). */
const CHART_NAME = 'harvester-vm-import-controller';
/** With and without `fullnameOverride` (reference section 8.4). */
const DEPLOYMENT_NAMES = [CONTROLLER_NAME, `${ADDON_NAME}-${CHART_NAME}`];

/**
 * Whether the controller that Airlift replaces is running, or about to be: two that work on the same objects import each machine twice. Our own Deployment may have the very same name
 * (ruling 24); it is told apart by its image. Asks three lists and one object.
 * @throws ProblemError when the cluster cannot be asked, and `ClusterForbidden` when not even Harvester's own namespace may be looked at
 */
export async function findOldController(cluster: Cluster, options: CallOptions = {}): Promise<OldControllerSight> {
  const { deployments, unseen } = await listDeployments(cluster, options);
  const running = deployments.filter((each) => !isOurs(each) && replicasOf(each) > 0);
  const addon = await findAddon(cluster, options);
  if (addon === 'unseen') unseen.push(`Addon ${ADDON_NAME}`);
  const found = running.map(describeDeployment);
  // An enabled add-on whose release is ours is how Airlift was installed in its place.
  if (addon === 'enabled' && !deployments.some((each) => isOurs(each) && isOfAddon(each)))
    found.push(`Addon ${CONTROLLER_NAMESPACE}/${ADDON_NAME} is enabled`);
  return { found: found.length === 0 ? undefined : found.join('; '), unseen };
}

async function listDeployments(cluster: Cluster, options: CallOptions) {
  try {
    return { deployments: await listIn(cluster, options), unseen: [] as string[] };
  } catch (error) {
    if (!isProblem(error, 'ClusterForbidden')) throw error;
    const deployments = await listIn(cluster, { ...options, namespace: CONTROLLER_NAMESPACE });
    return { deployments, unseen: [`Deployments outside ${CONTROLLER_NAMESPACE}`] };
  }
}

/** By label, and by name for whoever changed the labels by `nameOverride`. */
async function listIn(cluster: Cluster, options: ListOptions): Promise<Deployment[]> {
  const byUid = new Map<string | undefined, Deployment>();
  const asked: ListOptions[] = [
    { ...options, labels: { [NAME_LABEL]: CHART_NAME } },
    ...DEPLOYMENT_NAMES.map((name) => ({ ...options, fields: { 'metadata.name': name } })),
  ];
  for (const each of asked)
    for await (const deployment of cluster.list(deploymentKind, each)) byUid.set(deployment.metadata.uid, deployment);
  return [...byUid.values()];
}

async function findAddon(cluster: Cluster, options: CallOptions): Promise<'enabled' | 'disabled' | 'unseen'> {
  const ref = { namespace: CONTROLLER_NAMESPACE, name: ADDON_NAME };
  try {
    const addon: Addon | undefined = await cluster.get(addonKind, ref, options);
    return addon?.spec?.enabled === true ? 'enabled' : 'disabled';
  } catch (error) {
    // No Harvester: without add-ons there is none that could bring it.
    if (isProblem(error, 'ClusterKindMissing')) return 'disabled';
    if (isProblem(error, 'ClusterForbidden')) return 'unseen';
    throw error;
  }
}

function isOurs({ spec }: Deployment): boolean {
  return imagesOf(spec).some(isAirliftImage);
}

function imagesOf(spec: Deployment['spec']): readonly string[] {
  return spec?.template?.spec?.containers?.flatMap(({ image }) => image ?? []) ?? [];
}

/** Helm's release of an add-on has its name. */
function isOfAddon({ metadata: { labels, annotations } }: Deployment): boolean {
  return (annotations?.['meta.helm.sh/release-name'] ?? labels?.[INSTANCE_LABEL]) === ADDON_NAME;
}

/** Those wanted, or those still there: a Pod that is being stopped still writes. */
function replicasOf({ spec, status }: Deployment): number {
  return Math.max(spec?.replicas ?? 1, status?.replicas ?? 0);
}

function describeDeployment(deployment: Deployment): string {
  const { namespace = '', name } = deployment.metadata;
  const count = replicasOf(deployment);
  const isStopping = deployment.spec?.replicas === 0 ? ', which is being stopped' : '';
  const images = imagesOf(deployment.spec).join(', ') || 'no image';
  return `Deployment ${namespace}/${name} runs ${images} with ${count} ${count === 1 ? 'replica' : 'replicas'}${isStopping}`;
}
