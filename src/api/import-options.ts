import { z } from 'zod';
import { KUBERNETES_NAME, KUBERNETES_NAME_MAX_LENGTH } from '../domain/kubernetes-name.ts';
import { isUsableRate, RATE } from '../lib/parse-rate.ts';
import { exactlyOneOf } from './fields.ts';

const accessMode = z.enum(['ReadWriteOnce', 'ReadWriteMany', 'ReadWriteOncePod']);
const volumeMode = z.enum(['Block', 'Filesystem']);
/** RFC 1123 subdomain, as names of claims and classes are. */
const objectName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
  .max(253);

const ACCESS_MODE =
  "Access mode of the volume. Unless given, CDI's StorageProfile decides, then whether Longhorn can migrate the volume, else `ReadWriteOnce`.";
const VOLUME_MODE = "Unless given, CDI's StorageProfile decides, else `Block`.";

const target = exactlyOneOf(
  z.object({
    volume: z
      .object({
        accessMode: accessMode.optional().describe(ACCESS_MODE),
        volumeMode: volumeMode.optional().describe(VOLUME_MODE),
      })
      .optional()
      .describe('A volume of its own for each disk, written directly.'),
    image: z
      .object({})
      .optional()
      .describe('A Harvester VirtualMachineImage for each disk, as the old controller made.'),
    dataVolume: z.object({}).optional().describe("A DataVolume for each disk, filled through CDI's upload."),
  }),
  ['volume', 'image', 'dataVolume'],
);

const disk = exactlyOneOf(
  z.object({
    id: z.string().min(1).max(253).optional().describe("The disk's id on its source, as `airlift inspect` shows it."),
    index: z.int().min(0).max(1023).optional().describe("The disk's place among the machine's disks, from 0."),
    storageClass: objectName.optional().describe('Instead of `spec.storageClass`.'),
    accessMode: accessMode.optional().describe(ACCESS_MODE),
    volumeMode: volumeMode.optional().describe(VOLUME_MODE),
    bus: z
      .enum(['virtio', 'scsi', 'sata', 'usb'])
      .optional()
      .describe('Instead of the bus that the disk has on its source.'),
    claimName: objectName
      .optional()
      .describe('Name of its PersistentVolumeClaim, instead of one made from the name of the machine.'),
  }),
  ['id', 'index'],
);

/** What Airlift adds to the spec of an import (ruling 13). */
export const importOptions = {
  suspend: z
    .boolean()
    .default(false)
    .describe(
      'Stop the transfers and start nothing; what is written stays, and work goes on from there once this is false.',
    ),
  retry: z
    .string()
    .max(63)
    .optional()
    .describe('Any text. A new value begins a stalled or failed import anew; `airlift retry` writes the time.'),
  target: target.prefault({ volume: {} }).meta({ description: 'What the disks become. Exactly one of the fields.' }),
  targetName: z
    .string()
    .regex(KUBERNETES_NAME)
    .max(KUBERNETES_NAME_MAX_LENGTH)
    .optional()
    .describe('Name of the VirtualMachine; made from its name on the source unless given.'),
  run: z.boolean().default(true).describe('Start the machine once it is complete, as the old controller always does.'),
  disks: z.array(disk).max(256).optional().describe('What shall be different for single disks.'),
  transfer: z
    .object({
      verify: z
        .enum(['readback', 'none'])
        .default('readback')
        .describe('`readback` reads every disk again and compares; `none` is faster, and the report says so.'),
      maxRate: z
        .string()
        .regex(RATE)
        .max(32)
        .refine(isUsableRate, { message: 'not between 1kB and what a link can carry' })
        .optional()
        .describe('Most bytes per second for this import, such as `150MB` or `20MiB`.'),
      plane: z
        .string()
        .regex(/^[A-Za-z][-A-Za-z0-9]*$/)
        .max(63)
        .optional()
        .describe(
          'Which way the source is read, where it has several; `airlift plan` names them. Chosen by itself unless given.',
        ),
    })
    .prefault({})
    .meta({ description: 'How the bytes are moved.' }),
};
