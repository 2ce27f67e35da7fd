import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { benchTransfer } from '../app/bench-transfer.ts';
import { importMachine } from '../app/import-machine.ts';
import { planImport } from '../app/plan-import.ts';
import { verifyReport } from '../app/verify-report.ts';
import type { Services } from '../cli/services.ts';
import { type ProblemCode, ProblemError } from '../domain/problems.ts';
import { FairSlots } from '../lib/fair-slots.ts';
import { libc } from '../lib/libc.ts';
import { openOvaSource } from '../sources/ova/open-ova-source.ts';
import { openDeviceTarget } from '../targets/device/device-target.ts';
import { openDeviceDisk } from '../targets/device/open-device-disk.ts';
import { openDirTarget } from '../targets/dir/dir-target.ts';
import { nodeStorage } from '../targets/dir/node-storage.ts';
import { openImportedDisk } from '../targets/dir/open-imported-disk.ts';
import { createDataPlane, hashes, inflate } from './data-plane.ts';
import { openCluster } from './open-cluster.ts';
import { locateFile, openUpload } from './open-upload.ts';
import { airliftVersion } from './package-version.ts';
import { readInput } from './read-input.ts';
import { systemClock } from './system-clock.ts';

const clock = systemClock;
const unlimited = createDataPlane(clock);
let dataPlane = unlimited;
/** Disks under way at once: with more of them each only gets slower. */
const diskSlots = new FairSlots(8);

/** Larger files are not certificates, passwords or reports. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

/** Everything the command line can do, with the adapters of this product. */
export const services: Services = {
  prepareTransfers: (limits) => {
    const prepared = createDataPlane(clock, { ...limits, startsLanes: true });
    dataPlane = prepared;
    return {
      [Symbol.asyncDispose]: async () => {
        dataPlane = unlimited;
        await prepared[Symbol.asyncDispose]();
      },
    };
  },
  openSource: (location, options) => openOvaSource({ location, ...options, clock }),
  openTarget: ({ dir, device }) =>
    device === undefined ? openDirTarget(dir) : openDeviceTarget({ ...device, storage: nodeStorage }),
  planImport: (source, target, { measure, ...options }) =>
    planImport(source, target, {
      ...options,
      ...(measure && { measure: { ...measure, parts: { dataPlane, clock } } }),
    }),
  importMachine: (source, target, plan, options) =>
    importMachine({ dataPlane, clock, airliftVersion, diskSlots }, source, target, plan, options),
  benchTransfer: (source, target, options) => benchTransfer({ dataPlane, clock }, source, target, options),
  verifyReport: (path, options) =>
    verifyReport(
      {
        dataPlane,
        readReport: (reportPath) => readText(reportPath, 'ReportUnusable'),
        // A device is named by its whole path; files lie beside the report, wherever that was moved.
        openDisk: (reportPath, { file, format, virtualSizeBytes }) =>
          isAbsolute(file)
            ? openDeviceDisk(file, virtualSizeBytes)
            : openImportedDisk(join(dirname(reportPath), file), format, virtualSizeBytes),
      },
      path,
      options,
    ),
  openCluster: (options) => openCluster(options, clock),
  locateFile,
  openUpload: (open, { signal, ...options }) => openUpload(open, options, { clock, signal }),
  versions: () => ({
    airlift: airliftVersion,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    hashes: hashes.implementation,
    inflate: inflate.implementation,
    libc: libc.state,
    zstd: process.versions.zstd ?? 'unknown',
  }),
  readInput: (options) => readInput(process.stdin, options),
  readTextFile: (path) => readText(path, 'SourceNotFound'),
  passwordFromEnvironment: process.env.AIRLIFT_PASSWORD,
};

async function readText(path: string, missing: ProblemCode): Promise<string> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > MAX_TEXT_BYTES) throw new ProblemError(missing, `${path} has ${bytes.length} bytes`);
    return bytes.toString('utf8');
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause;
    const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    const code = errno === 'EACCES' || errno === 'EPERM' ? 'SourceForbidden' : missing;
    throw new ProblemError(code, `cannot read ${path}: ${errno}`, { cause, context: { path } });
  }
}
