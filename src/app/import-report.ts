import { z } from 'zod';

const fidelityRow = z.object({
  property: z.string(),
  source: z.string(),
  target: z.string(),
  outcome: z.enum(['kept', 'changed', 'dropped']),
  reason: z.string().optional(),
});

const findingSchema = z.object({
  severity: z.enum(['blocker', 'warning', 'note']),
  code: z.string(),
  message: z.string(),
  subject: z.string().optional(),
});

const diskReport = z.object({
  id: z.string(),
  name: z.string(),
  /** File on the source; absent for a disk that was created empty. */
  sourceFile: z.string().optional(),
  sourceFormat: z.string(),
  /** File beside the report. */
  file: z.string(),
  format: z.enum(['qcow2', 'raw']),
  virtualSizeBytes: z.number(),
  dataBytes: z.number(),
  allocatedBytes: z.number(),
  /** Digest tree over the whole disk, see docs/contracts/disk.md; absent with `--verify none`. */
  digest: z.object({ root: z.string(), sectionBytes: z.number(), sections: z.array(z.string()) }).optional(),
  /** What the manifest says of the disk's files and what was read. */
  storedDigests: z.array(
    z.object({ name: z.string(), algorithm: z.string(), expected: z.string().optional(), actual: z.string() }),
  ),
  fetchedBytes: z.number(),
  writtenBytes: z.number(),
  copyMs: z.number(),
  verifyMs: z.number(),
  resumes: z.number(),
});

const estimateSchema = z.object({
  ms: z.number(),
  copyMs: z.number(),
  verifyMs: z.number(),
  limitedBy: z.enum(['read', 'decode', 'write']),
  /** Bytes per second. */
  rates: z.object({
    read: z.number(),
    decode: z.number(),
    hash: z.number(),
    write: z.number().optional(),
    readBack: z.number().optional(),
  }),
});

/** `report.json`: the proof of one import. Version 1; fields may be added. */
export const importReportSchema = z.object({
  kind: z.literal('AirliftImportReport'),
  version: z.literal(1),
  airliftVersion: z.string(),
  source: z.string(),
  target: z.string(),
  machine: z.object({ id: z.string(), name: z.string() }),
  targetName: z.string(),
  startedAt: z.string(),
  finishedAt: z.string(),
  verify: z.enum(['readback', 'none']),
  /** What was predicted before; absent where nothing was measured. */
  estimate: estimateSchema.optional(),
  disks: z.array(diskReport),
  fidelity: z.array(fidelityRow),
  findings: z.array(findingSchema),
});

export type ImportReport = z.infer<typeof importReportSchema>;
export type DiskReport = ImportReport['disks'][number];
