import { API_VERSION } from '../../../api/literals.ts';
import { networkAttachmentDefinitionKind, virtualMachineKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { ImportPlan } from '../../../app/import-plan.ts';
import { planImport } from '../../../app/plan-import.ts';
import type { Finding } from '../../../domain/finding.ts';
import { isBlocker } from '../../../domain/finding.ts';
import { isKubernetesName, toKubernetesName } from '../../../domain/kubernetes-name.ts';
import { isProblem, ProblemError } from '../../../domain/problems.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { Cluster } from '../../../ports/cluster.ts';
import type { ResolvedSource, SourceAdapter } from '../../../ports/source-adapter.ts';
import { readSecretOf } from '../../sources/read-secret.ts';
import type { ImportObjects } from '../import-world.ts';
import { type DiskPlan, hashSpec, type PlanRecord } from '../plan-record.ts';
import {
  type AdoptedImages,
  checkDataVolumeKind,
  checkImageKind,
  imageNamesOf,
  planImages,
} from './preflight-images.ts';
import { checkQuota } from './preflight-quota.ts';
import { planVolumes } from './preflight-volumes.ts';
import { foreignTo, rivalFor } from './rival.ts';
import { mappingOf } from './spec-mapping.ts';

export interface PreflightParts {
  readonly cluster: Cluster;
  /** By the lower-cased name of their kind. */
  readonly adapters: ReadonlyMap<string, SourceAdapter>;
  readonly objects: Pick<ImportObjects, 'imports'>;
  readonly now: () => number;
  /** Whether this installation can serve images. */
  readonly servesImages: boolean;
  /** Whether it can send disks to CDI. */
  readonly uploads: boolean;
}

export interface PreflightOptions extends CallOptions {
  /** The old controller's images, of which the machine is to be made. */
  readonly adopted?: AdoptedImages | undefined;
}

export interface PreflightResult {
  /** All of them, blockers first. */
  readonly findings: readonly Finding[];
  /** Absent when something is in the way. */
  readonly plan: PlanRecord | undefined;
}

/**
 * Asks everything that can be asked before the first byte, and tells all answers at once instead of the first (reference section 3). Changes nothing anywhere.
 * @throws ProblemError only when it could not look at the cluster at all
 */
export async function runPreflight(
  parts: PreflightParts,
  machineImport: VirtualMachineImport,
  fieldFindings: readonly Finding[],
  { adopted, ...options }: PreflightOptions = {},
): Promise<PreflightResult> {
  const findings: Finding[] = [...fieldFindings];
  findings.push(...(adopted === undefined ? await checkTarget(parts, machineImport, options) : []));
  findings.push(...(await checkNetworks(parts.cluster, machineImport, options)));
  const source = await resolveSource(parts, machineImport, options).catch(toFinding);
  if (!isResolved(source)) {
    findings.push(source);
    return { findings: sortFindings(findings), plan: undefined };
  }
  const imageNameOf = imageNamesOf(machineImport, adopted);
  const planned = await planFrom(source, machineImport, { ...options, claimNameOf: imageNameOf }).catch(toFinding);
  if ('code' in planned) {
    findings.push(planned);
    return { findings: sortFindings(findings), plan: undefined };
  }
  findings.push(...planned.findings.filter((each) => !isSkipped(each, machineImport)));
  const isOwnClaim = (name: string) => planned.disks.some(({ index }) => imageNameOf?.(index) === name);
  const volumes = await planVolumes(parts, machineImport, planned, { ...options, isOwnClaim });
  const { disks, findings: imageFindings } = findings.some(isTargetMissing)
    ? { disks: volumes.disks, findings: [] }
    : await planImages(
        parts.cluster,
        machineImport,
        volumes.disks,
        { adopted, targetName: planned.targetName },
        options,
      );
  findings.push(
    // First: where the machine is in the way, its volumes are too.
    ...(await checkMachine(parts, machineImport, planned.targetName, options)),
    ...volumes.findings.filter((each) => !isAboutOwnVolume(each, disks)),
    ...imageFindings,
    ...(await checkQuota(parts.cluster, machineImport, disks, options)),
  );
  const sorted = sortFindings(findings);
  if (sorted.some(isBlocker)) return { findings: sorted, plan: undefined };
  const record: PlanRecord = {
    version: 1,
    specHash: hashSpec(machineImport.spec),
    ranAt: parts.now(),
    targetName: planned.targetName,
    machineId: planned.machine.id,
    hardware: planned.mapped.hardware,
    fidelity: planned.mapped.fidelity,
    findings: sorted,
    disks,
    ...(source.host === undefined ? {} : { sourceHost: source.host }),
  };
  return { findings: sorted, plan: record };
}

function isTargetMissing({ code }: Finding): boolean {
  return code === 'TargetKindNotInstalled';
}

/** The volume that Longhorn makes of an image can move, whatever the class says of others. */
function isAboutOwnVolume({ code, subject }: Finding, disks: readonly DiskPlan[]): boolean {
  return (
    code === 'LiveMigrationImpossible' &&
    disks.some(({ id, image }) => id === subject && image?.backend === 'backingimage')
  );
}

/** Upstream's switch leaves out what is particular to the source; that the machine would not start is a warning anyway. */
function isSkipped(each: Finding, { spec }: VirtualMachineImport): boolean {
  return spec.skipPreflightChecks === true && each.code === 'GuestMayNotBoot';
}

async function planFrom(
  source: ResolvedSource,
  machineImport: VirtualMachineImport,
  { signal, claimNameOf }: CallOptions & { readonly claimNameOf: ((index: number) => string) | undefined },
): Promise<ImportPlan> {
  const { spec, metadata } = machineImport;
  await using opened = await source.open({ signal });
  const machine = source.machineRef({ name: spec.virtualMachineName, folder: spec.folder });
  return await planImport(opened, CLUSTER_TARGET, {
    machine,
    targetName: targetNameOf(machineImport),
    mapping: mappingOf(spec, metadata.namespace ?? 'default', await opened.inspect(machine, { signal }), claimNameOf),
    signal,
  });
}

/** What the plan has to know of the target; the volumes are looked at with everything that the cluster says of them. */
const CLUSTER_TARGET = { location: 'kubevirt:', diskFormat: 'raw', async *preflight() {} } as const;

/** The user's word, else one made from the name in the spec as upstream does it, else from the machine's own (W18). */
export function targetNameOf({ spec, metadata }: VirtualMachineImport): string | undefined {
  if (spec.targetName !== undefined) return spec.targetName;
  const wanted = spec.virtualMachineName;
  if (wanted === undefined) return metadata.name.length <= 63 ? toKubernetesName(metadata.name) : undefined;
  return isKubernetesName(wanted.toLowerCase()) ? wanted.toLowerCase() : toKubernetesName(wanted);
}

/** @throws ProblemError `ImportSourceUnsupported`, `SourceObjectMissing`, and the adapter's */
export async function resolveSource(
  { cluster, adapters }: Pick<PreflightParts, 'cluster' | 'adapters'>,
  { spec, metadata }: VirtualMachineImport,
  options: CallOptions,
): Promise<ResolvedSource> {
  const { apiVersion, kind = '', name, namespace } = spec.sourceCluster ?? {};
  const adapter = adapters.get(kind.toLowerCase());
  const known = [...adapters.values()].map(({ resource }) => resource.kind).join(', ');
  if (apiVersion !== API_VERSION)
    throw new ProblemError(
      'ImportSourceUnsupported',
      `spec.sourceCluster.apiVersion is "${apiVersion ?? ''}", not "${API_VERSION}"`,
    );
  if (adapter === undefined)
    throw new ProblemError(
      'ImportSourceUnsupported',
      `spec.sourceCluster.kind is "${kind}"; this installation reads ${known}`,
    );
  if (name === undefined || namespace === undefined)
    throw new ProblemError('ImportFieldInvalid', 'spec.sourceCluster needs a name and a namespace');
  const stored = await cluster.get(adapter.resource, { namespace, name }, options);
  if (stored === undefined)
    throw new ProblemError(
      'SourceObjectMissing',
      `there is no ${adapter.resource.kind} "${name}" in namespace "${namespace}"`,
      {
        context: { import: metadata.name },
      },
    );
  return await adapter.resolve(stored, readSecretOf(cluster), options);
}

async function checkTarget(
  { cluster, servesImages, uploads }: PreflightParts,
  machineImport: VirtualMachineImport,
  options: CallOptions,
): Promise<Finding[]> {
  const { target } = machineImport.spec;
  if (target.image !== undefined && servesImages) return await checkImageKind(cluster, machineImport, options);
  if (target.dataVolume !== undefined && uploads) return await checkDataVolumeKind(cluster, machineImport, options);
  const other = Object.keys(target).find((kind) => kind !== 'volume');
  if (other === undefined) return [];
  const message = `spec.target asks for ${other}, which this installation does not make`;
  return [finding('blocker', 'TargetKindNotInstalled', message, 'spec.target')];
}

async function checkNetworks(cluster: Cluster, { spec, metadata }: VirtualMachineImport, options: CallOptions) {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const [index, { sourceNetwork, destinationNetwork }] of (spec.networkMapping ?? []).entries()) {
    const subject = `spec.networkMapping[${index}]`;
    const from = sourceNetwork ?? '';
    if (seen.has(from))
      findings.push(
        finding('blocker', 'ImportFieldInvalid', `${subject}: source network "${from}" appears twice`, subject),
      );
    seen.add(from);
    const parts = (destinationNetwork ?? '').split('/');
    const [namespace, name] = parts.length === 1 ? [metadata.namespace, parts[0]] : parts;
    if (parts.length > 2 || !namespace || !name) {
      const message = `${subject}: "${destinationNetwork ?? ''}" is neither "name" nor "namespace/name"`;
      findings.push(finding('blocker', 'ImportFieldInvalid', message, subject));
      continue;
    }
    const found = await cluster.get(networkAttachmentDefinitionKind, { namespace, name }, options);
    if (found === undefined) {
      const message = `${subject}: there is no NetworkAttachmentDefinition "${name}" in namespace "${namespace}"`;
      findings.push(finding('blocker', 'NetworkMissing', message, subject));
    }
  }
  return findings;
}

async function checkMachine(
  { cluster, objects }: PreflightParts,
  { metadata }: VirtualMachineImport,
  name: string,
  options: CallOptions,
): Promise<Finding[]> {
  const { uid, namespace } = metadata;
  const thing = `VirtualMachine "${name}" in namespace "${namespace ?? ''}"`;
  const machine = await cluster.get(virtualMachineKind, { ...namespaceOf(metadata), name }, options);
  const foreign = machine && foreignTo(uid, machine, thing, { objects, otherwise: 'MachineExists' });
  if (foreign !== undefined) return [finding('blocker', foreign.code, foreign.message, 'spec.targetName')];
  const rival = machine === undefined ? rivalFor(uid, { namespace, name }, objects) : undefined;
  if (rival === undefined) return [];
  return [finding('blocker', 'ImportConflict', `import "${rival.name}" makes ${thing}`, 'spec.targetName')];
}

function namespaceOf({ namespace }: VirtualMachineImport['metadata']): { readonly namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

/** A problem that a person or time can cure is an answer; that the cluster itself cannot be asked is not. */
function toFinding(error: unknown): Finding {
  if (!isProblem(error) || error.code.startsWith('Cluster') || error.code === 'Interrupted') throw error;
  return finding('blocker', error.code, error.message);
}

function isResolved(source: ResolvedSource | Finding): source is ResolvedSource {
  return 'open' in source;
}

function finding(severity: Finding['severity'], code: Finding['code'], message: string, subject?: string): Finding {
  return { severity, code, message, ...(subject === undefined ? {} : { subject }) };
}

const SEVERITIES: readonly Finding['severity'][] = ['blocker', 'warning', 'note'];

function sortFindings(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}
