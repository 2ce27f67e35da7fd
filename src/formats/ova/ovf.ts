import { ProblemError } from '../../domain/problems.ts';
import { chooseDeployment, parseDeployments } from './deployment-options.ts';
import type { DiskLookup } from './machine-disks.ts';
import { malformed, ovfAttribute, ovfChild, ovfChildren, ovfKind, ovfVersion, quote } from './ovf-elements.ts';
import type { OvfDisk, OvfFile, OvfMachine, OvfPackage } from './ovf-package.ts';
import { findPropertyValues } from './properties.ts';
import { findDiskElements, hasKnownCapacity, indexFiles, parseDisk, parseFiles, parseNetworks } from './references.ts';
import { checkSections } from './sections.ts';
import { parseVirtualSystem } from './virtual-system.ts';
import { parseXmlTree, type XmlElement } from './xml-tree.ts';

export interface ParseOvfOptions {
  /** Id of the deployment option; the one marked as default (else the first) unless given. */
  readonly deployment?: string | undefined;
  /** Name of the descriptor, for messages. */
  readonly name: string;
}

/**
 * Parses an OVF descriptor: 1.x, 2.x, VMware's 0.9, and the dialects of VMware, VirtualBox and oVirt.
 * @throws ProblemError `OvfMalformed`, `OvfTooLarge`, `OvfEntityRefused`, `OvfUnsupported`, `DeploymentUnknown`, `ArchiveMemberUnsafe`, `DiskTooLarge`
 */
export function parseOvf(xml: Uint8Array | string, options: ParseOvfOptions): OvfPackage {
  try {
    return parseEnvelope(parseXmlTree(xml, options.name), options);
  } catch (error) {
    // Everything below names lines only; here is known of which file.
    if (!(error instanceof ProblemError) || error.message.startsWith(options.name)) throw error;
    throw new ProblemError(error.code, `${options.name}: ${error.message}`, {
      cause: error.cause,
      context: error.context,
    });
  }
}

function parseEnvelope(root: XmlElement, options: ParseOvfOptions): OvfPackage {
  const version = versionOf(root);
  if (root.name !== 'Envelope' || version === undefined) {
    throw malformed(
      root,
      `the document is a ${quote(root.name)} of namespace ${quote(root.namespace)}, not an OVF envelope`,
    );
  }
  const deployments = parseDeployments(root);
  const deployment = chooseDeployment(deployments, options.deployment);
  const files = parseFiles(root);
  const disks = new DiskTable(root, files, findPropertyValues(root, deployment));

  const { systems, ignoredSections } = findSystems(root);
  const machines = systems.map((system, index) =>
    parseVirtualSystem(system, { lookup: disks, deployment, number: index + 1 }),
  );
  if (machines.length === 0) throw malformed(root, 'the envelope describes no machine');
  refuseSameIds(machines);
  const startupOrder = parseStartupOrder(root);
  return {
    version,
    files,
    disks: disks.known(),
    networks: parseNetworks(root),
    deployments,
    ...(deployment === undefined ? {} : { deployment }),
    machines,
    ...(startupOrder.length === 0 ? {} : { startupOrder }),
    ignoredSections: [...new Set(ignoredSections)],
  };
}

/** Some descriptors lost the default namespace on their way; then the prefixed attributes of the envelope or its files tell. */
function versionOf(root: XmlElement): OvfPackage['version'] | undefined {
  if (root.namespace !== '') return ovfVersion(root.namespace);
  const references = root.children.find((child) => child.name === 'References');
  const attributes = [root, ...(references?.children ?? [])].flatMap((element) => element.attributes);
  return attributes.map((attribute) => ovfVersion(attribute.namespace)).find((version) => version !== undefined);
}

/** The disks of the DiskSection; each is parsed when a machine asks for it, so that one of another deployment option need not make sense. */
class DiskTable implements DiskLookup {
  readonly files: ReadonlyMap<string, OvfFile>;
  readonly #elements: ReadonlyMap<string, XmlElement>;
  readonly #properties: ReadonlyMap<string, string>;
  readonly #idsByFile: ReadonlyMap<string, string>;
  readonly #parsed = new Map<string, OvfDisk>();

  constructor(root: XmlElement, files: readonly OvfFile[], properties: ReadonlyMap<string, string>) {
    this.files = indexFiles(files);
    this.#elements = findDiskElements(root);
    this.#properties = properties;
    this.#idsByFile = new Map(
      [...this.#elements].map(([id, element]) => [
        this.files.get(ovfAttribute(element, 'fileRef') ?? '')?.id ?? '',
        id,
      ]),
    );
  }

  disk(id: string): OvfDisk | undefined {
    const element = this.#elements.get(id);
    const known = this.#parsed.get(id);
    if (known || !element) return known;
    const disk = parseDisk(element, this.files, this.#properties);
    this.#parsed.set(id, disk);
    return disk;
  }

  diskOfFile(fileId: string): OvfDisk | undefined {
    const id = this.#idsByFile.get(fileId);
    return id === undefined ? undefined : this.disk(id);
  }

  known(): OvfDisk[] {
    return [...this.#elements].flatMap(([id, element]) => {
      const disk = hasKnownCapacity(element, this.#properties) ? this.disk(id) : undefined;
      return disk ? [disk] : [];
    });
  }
}

/** Machines in document order, through collections within collections, and the sections passed over on the way. */
function findSystems(root: XmlElement): { systems: XmlElement[]; ignoredSections: string[] } {
  const systems: XmlElement[] = [];
  const ignoredSections: string[] = [];
  const visit = (parent: XmlElement) => {
    ignoredSections.push(...checkSections(parent));
    for (const child of parent.children) {
      const kind = ovfKind(child);
      if (kind === 'VirtualSystemCollection') visit(child);
      if (kind !== 'VirtualSystem') continue;
      ignoredSections.push(...checkSections(child));
      systems.push(child);
    }
  };
  visit(root);
  return { systems, ignoredSections };
}

function refuseSameIds(machines: readonly OvfMachine[]): void {
  const ids = new Set<string>();
  for (const { machine } of machines) {
    if (ids.has(machine.id)) throw new ProblemError('OvfMalformed', `two machines have the id ${quote(machine.id)}`);
    ids.add(machine.id);
  }
}

/** Ids in the order of the StartupSection's numbers (0 first, as in OVF 1.x), of the outermost collection that has one. */
function parseStartupOrder(root: XmlElement): string[] {
  const collection = ovfChild(root, 'VirtualSystemCollection');
  const section = ovfChild(root, 'StartupSection') ?? (collection && ovfChild(collection, 'StartupSection'));
  if (!section) return [];
  const order = (item: XmlElement) => Number(ovfAttribute(item, 'order') ?? '0') || 0;
  return ovfChildren(section, 'Item')
    .sort((left, right) => order(left) - order(right))
    .flatMap((item) => ovfAttribute(item, 'id') ?? []);
}
