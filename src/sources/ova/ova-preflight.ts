import type { Finding } from '../../domain/finding.ts';
import type { Disk } from '../../domain/machine.ts';
import { isProblem, type ProblemError } from '../../domain/problems.ts';
import type { Manifest } from '../../formats/ova/manifest.ts';
import type { OvfFile, OvfMachine } from '../../formats/ova/ovf-package.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { formatBytes } from '../../lib/format-units.ts';
import { type Appliance, fileOfDisk } from './appliance.ts';
import { openDiskOf } from './open-disk.ts';
import { digestOf, findStoredParts, type StoredPart } from './stored-file.ts';

export interface PreflightOptions extends CallOptions {
  readonly now: Date;
}

/**
 * Looks at everything an import of the machine will need: manifest, signature, and the head of each disk, as far as a stream has come. All that is found is
 * told, not only the first.
 */
export async function* preflightAppliance(
  appliance: Appliance,
  machine: OvfMachine,
  options: PreflightOptions,
): AsyncGenerator<Finding, void> {
  const findings: Finding[] = [];
  const manifest = await collecting(findings, undefined, () => appliance.readManifest(options));
  yield* findings;
  const hasFailed = findings.length > 0;
  if (manifest === undefined && !hasFailed) yield await manifestMissing(appliance, options);
  const known = manifest === 'later' ? undefined : manifest;
  if (known) {
    yield* checkDescriptorDigest(appliance, known, options);
    yield* checkSigner(appliance, options);
  }
  for (const disk of machine.machine.disks) {
    yield* checkDisk(appliance, machine, disk, { ...options, manifest: known, isManifestLater: manifest === 'later' });
  }
}

interface DiskCheckOptions extends PreflightOptions {
  readonly manifest: Manifest | undefined;
  readonly isManifestLater: boolean;
}

async function manifestMissing(appliance: Appliance, options: CallOptions): Promise<Finding> {
  const name = await appliance.nameBeside('.mf', options);
  return { severity: 'warning', code: 'ManifestMissing', message: `There is no ${name} in ${appliance.files.name}.` };
}

async function* checkDescriptorDigest(
  appliance: Appliance,
  manifest: Manifest,
  options: CallOptions,
): AsyncGenerator<Finding, void> {
  const { name } = await appliance.readDescriptor(options);
  if (!digestOf(manifest, name)) yield notInManifest(name);
  const problem = await appliance.checkDescriptor(manifest, options);
  if (problem) yield toBlocker(problem, undefined);
}

async function* checkSigner(appliance: Appliance, options: PreflightOptions): AsyncGenerator<Finding, void> {
  const findings: Finding[] = [];
  const signature = await collecting(findings, undefined, () => appliance.checkSignature(options.now, options));
  yield* findings;
  if (signature?.status === 'invalid')
    yield { severity: 'blocker', code: 'SignatureInvalid', message: signature.detail };
  if (signature?.status === 'valid-untrusted') {
    yield { severity: 'note', code: 'SignatureUntrusted', message: signature.detail };
  }
}

async function* checkDisk(
  appliance: Appliance,
  machine: OvfMachine,
  disk: Disk,
  options: DiskCheckOptions,
): AsyncGenerator<Finding, void> {
  const subject = disk.id;
  const findings: Finding[] = [];
  const stored = await collecting(findings, subject, async () => {
    const file = fileOfDisk(await appliance.readPackage(options), machine, disk.id);
    return file && { file, ...(await findStoredParts(appliance.files, file, options)) };
  });
  yield* findings;
  if (findings.length > 0) return;
  if (!stored) {
    const message = `${disk.name} has no file; an empty disk of ${formatBytes(disk.virtualSizeBytes)} is made.`;
    yield { severity: 'note', code: 'DiskEmpty', message, subject };
    return;
  }
  yield* checkCoverage(stored.parts, stored.chunkBytes !== undefined, subject, options);
  // A stream goes past each file once: only the one it stands at may be looked at.
  if (stored.parts.every(({ located }) => !appliance.files.canOpenNow(located))) return;
  yield* checkImage(appliance, stored.file, disk, options);
}

function* checkCoverage(
  parts: readonly StoredPart[],
  isChunked: boolean,
  subject: string,
  { manifest, isManifestLater }: DiskCheckOptions,
): Generator<Finding, void> {
  if (manifest) {
    for (const { href } of parts) if (!digestOf(manifest, href)) yield { ...notInManifest(href), subject };
  }
  if (isManifestLater && isChunked) {
    const message =
      'The manifest can only be read after the chunks of this disk, so their digests will not be checked.';
    yield { severity: 'warning', code: 'ManifestIncomplete', message, subject };
  }
}

async function* checkImage(
  appliance: Appliance,
  file: OvfFile,
  disk: Disk,
  options: DiskCheckOptions,
): AsyncGenerator<Finding, void> {
  const { signal, manifest } = options;
  const findings: Finding[] = [];
  const sizeBytes = await collecting(findings, disk.id, async () => {
    const { virtualSizeBytes, declaredFormat } = disk;
    await using reader = await openDiskOf(appliance.files, file, {
      signal,
      manifest,
      virtualSizeBytes,
      declaredFormat,
    });
    return reader.virtualSizeBytes;
  });
  yield* findings;
  if (sizeBytes !== undefined && sizeBytes !== disk.virtualSizeBytes) {
    const message = `${disk.name} has ${disk.virtualSizeBytes} bytes by the descriptor and ${sizeBytes} by its image ${file.href}.`;
    yield { severity: 'warning', code: 'DiskSizeMismatch', message, subject: disk.id };
  }
}

function notInManifest(name: string): Finding {
  return { severity: 'warning', code: 'ManifestIncomplete', message: `The manifest does not mention ${name}.` };
}

/** Does something that looks. A problem that stays becomes a blocker; one that may pass means that it could not look. */
async function collecting<T>(
  findings: Finding[],
  subject: string | undefined,
  look: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (!isProblem(error) || error.problem.retry !== 'never') throw error;
    findings.push(toBlocker(error, subject));
    return undefined;
  }
}

function toBlocker(problem: ProblemError, subject: string | undefined): Finding {
  const { code, message } = problem;
  return { severity: 'blocker', code, message, ...(subject === undefined ? {} : { subject }) };
}
