import type { Finding } from '../../domain/finding.ts';
import { isProblem } from '../../domain/problems.ts';
import { type DeviceCalls, type OpenDevice, openDevice } from '../../formats/raw/open-device.ts';
import { formatBytes } from '../../lib/format-units.ts';
import type { Storage } from '../../ports/storage.ts';
import type { TargetNeed } from '../../ports/target.ts';
import { tellBytes, tellTooSmall } from './device-machine.ts';
import { isFinished } from './transfer-state.ts';

/** Room for checkpoints and documents. */
const STATE_BYTES = 4 * 1024 * 1024;

export interface DevicesToCheck {
  readonly paths: readonly string[];
  readonly stateFolder: string;
  readonly storage: Storage;
  readonly calls: DeviceCalls | undefined;
}

/** What stands in the way of writing a machine's disks to these devices: everything, not the first. Opens each device and writes nothing. */
export async function* findDeviceProblems(
  { paths, stateFolder, storage, calls }: DevicesToCheck,
  { diskSizesBytes }: TargetNeed,
): AsyncGenerator<Finding, void> {
  yield* findStateProblems(storage, stateFolder);
  if (diskSizesBytes !== undefined && paths.length !== diskSizesBytes.length)
    yield blocker('TargetDevicesMismatch', tellCounts(paths, diskSizesBytes));
  const seen: OpenDevice[] = [];
  try {
    for (const [index, path] of paths.entries()) yield* findProblems(path, index, diskSizesBytes?.[index], seen, calls);
  } finally {
    for (const device of seen) await device[Symbol.asyncDispose]();
  }
}

async function* findProblems(
  path: string,
  index: number,
  virtualSizeBytes: number | undefined,
  seen: OpenDevice[],
  calls: DeviceCalls | undefined,
): AsyncGenerator<Finding, void> {
  let device: OpenDevice;
  try {
    device = await openDevice(path, calls);
  } catch (error) {
    if (!isProblem(error)) throw error;
    yield blocker(error.code, error.message);
    return;
  }
  seen.push(device);
  const same = findSame(seen);
  if (same !== undefined) yield blocker('TargetDevicesMismatch', same);
  if (virtualSizeBytes === undefined) return;
  if (device.sizeBytes < virtualSizeBytes) {
    yield blocker('TargetTooSmall', tellTooSmall(device, index, virtualSizeBytes));
  } else if (device.sizeBytes > virtualSizeBytes) {
    const rest = tellBytes(device.sizeBytes - virtualSizeBytes);
    yield { severity: 'note', code: 'TargetLarger', message: `the last ${rest} of ${path} stay as they are` };
  }
}

async function* findStateProblems(storage: Storage, stateFolder: string): AsyncGenerator<Finding, void> {
  const problem = await storage.findWriteProblem(stateFolder);
  if (problem !== undefined) {
    yield blocker('TargetNotWritable', problem);
    return;
  }
  if (await isFinished(storage, stateFolder)) yield blocker('TargetExists', `${stateFolder} holds a finished import`);
  const free = await storage.freeBytes(stateFolder);
  if (free >= STATE_BYTES) return;
  const message = `${stateFolder} has ${formatBytes(free)} free; checkpoints and documents need ${formatBytes(STATE_BYTES)}`;
  yield blocker('TargetFull', message);
}

/** Two names for one device: what the second disk wrote would be where the first one is. */
export function findSame(devices: readonly OpenDevice[]): string | undefined {
  const last = devices.at(-1);
  const same = devices.slice(0, -1).find(({ node }) => node === last?.node);
  return same && last && `${same.path} and ${last.path} are the same device`;
}

function tellCounts(paths: readonly string[], sizes: readonly number[]): string {
  return `${paths.length} ${paths.length === 1 ? 'device was' : 'devices were'} given; the machine has ${sizes.length} ${sizes.length === 1 ? 'disk' : 'disks'}`;
}

function blocker(code: Finding['code'], message: string): Finding {
  return { severity: 'blocker', code, message };
}
