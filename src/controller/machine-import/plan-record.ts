import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { AccessMode, ConfigMap, VolumeMode } from '../../api/core-kinds.ts';
import type { ImportSpec } from '../../api/virtual-machine-import.ts';
import type { FidelityRow } from '../../domain/fidelity.ts';
import type { Finding } from '../../domain/finding.ts';
import type { MappedHardware } from '../../domain/mapping/mapped-machine.ts';

/**
 * What preflight decided, kept beside the import so that every later step, also of another controller, does the same: in a ConfigMap, because the machine's hardware is more than a
 * status should carry and because the source may be gone when the machine is made.
 */
export interface PlanRecord {
  readonly version: 1;
  /** Of the parts of the spec that it was made of; another value means that the spec was edited. */
  readonly specHash: string;
  /** Milliseconds since the epoch. */
  readonly ranAt: number;
  readonly targetName: string;
  /** Of the machine on its source. */
  readonly machineId: string;
  readonly hardware: MappedHardware;
  readonly fidelity: readonly FidelityRow[];
  readonly findings: readonly Finding[];
  readonly disks: readonly DiskPlan[];
  /** For the limit of transfers that read from one host; absent where that cannot be told. */
  readonly sourceHost?: string | undefined;
}

export interface DiskPlan {
  readonly index: number;
  /** On the source. */
  readonly id: string;
  readonly name: string;
  readonly virtualSizeBytes: number;
  /** Bytes that will be written at most; absent when nobody knows before. */
  readonly dataBytes?: number | undefined;
  readonly claimName: string;
  /** Absent: the cluster's default. */
  readonly storageClass?: string | undefined;
  readonly accessMode: AccessMode;
  readonly volumeMode: VolumeMode;
  /** Where the disk becomes a VirtualMachineImage first, or is sent to a DataVolume. */
  readonly image?: ImagePlan | undefined;
}

export interface ImagePlan {
  /** Of the object. */
  readonly name: string;
  readonly displayName: string;
  /** Upstream's `diskName`: the last part of the URL. */
  readonly fileName: string;
  /** Who imports it: Longhorn, or CDI, whose own volume the machine then has. `upload`: a DataVolume, under the claim's name, to which the disk is sent. */
  readonly backend: 'backingimage' | 'cdi' | 'upload';
  /** The old controller made it, and nothing of it is ours to make again. */
  readonly isAdopted: boolean;
}

const KEY = 'plan.json.gz';
/** A ConfigMap holds 1 MiB; nothing of ours unpacks to more than this. */
const MAX_UNPACKED_BYTES = 16 * 1024 * 1024;
/** What a ConfigMap takes, less its metadata, as base64. */
const MAX_PACKED_BYTES = 700 * 1024;

/** Rows of a machine with thousands of settings are cut, the rest is not: it decides what is made. */
export function encodePlan(plan: PlanRecord): Readonly<Record<string, string>> {
  for (let rows = plan.fidelity.length; ; rows = Math.floor(rows / 2)) {
    const packed = gzipSync(JSON.stringify({ ...plan, fidelity: plan.fidelity.slice(0, rows) }));
    if (packed.length <= MAX_PACKED_BYTES) return { [KEY]: packed.toString('base64') };
    if (rows === 0) throw new Error(`the plan takes ${packed.length} bytes without a single row`);
  }
}

/** Undefined for what we did not write, or what somebody changed so that it cannot be read. */
export function decodePlan({ binaryData }: ConfigMap): PlanRecord | undefined {
  const packed = binaryData?.[KEY];
  if (packed === undefined) return undefined;
  try {
    const text = gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: MAX_UNPACKED_BYTES }).toString();
    const plan = JSON.parse(text) as Partial<PlanRecord>;
    return plan.version === 1 && Array.isArray(plan.disks) ? (plan as PlanRecord) : undefined;
  } catch {
    // Somebody else's content. Preflight makes a new plan; nothing was lost that the source does not say again.
    return undefined;
  }
}

/** What an edit of may change the plan. Suspending, retrying, the pace of transfers and whether the machine shall run are looked at where they matter. */
export function hashSpec(spec: ImportSpec): string {
  const { suspend: _suspend, run: _run, transfer: _transfer, ...planned } = spec;
  return createHash('sha256').update(canonical(planned)).digest('hex').slice(0, 32);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
