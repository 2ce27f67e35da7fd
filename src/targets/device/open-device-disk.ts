import { ProblemError } from '../../domain/problems.ts';
import { DeviceDisk } from '../../formats/raw/device-disk.ts';
import { type DeviceCalls, openDeviceForReading } from '../../formats/raw/open-device.ts';
import { openRaw } from '../../formats/raw/open-raw.ts';
import { storageImageFile } from '../../formats/storage-image-file.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';

/**
 * Opens the disk that a finished import wrote to a device: its first `virtualSizeBytes`, or fewer where the device became smaller.
 * @throws ProblemError `ReportUnusable` when it is not there, `TargetReadFailed`
 */
export async function openDeviceDisk(path: string, virtualSizeBytes: number, calls?: DeviceCalls): Promise<DiskReader> {
  const device = await openDeviceForReading(path, calls);
  if (device === undefined) throw new ProblemError('ReportUnusable', `there is no ${path}`, { context: { path } });
  const disk = new DeviceDisk(device, Math.min(virtualSizeBytes, device.sizeBytes), { ownsDevice: true });
  const main = await storageImageFile(disk, { ownsFile: true });
  return openRaw({ main, open: (name) => Promise.reject(new Error(`a raw disk names no "${name}"`)) });
}
