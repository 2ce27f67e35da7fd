import { resolve } from 'node:path';
import { ProblemError } from '../../domain/problems.ts';
import { type DeviceCalls, type OpenDevice, openDevice } from '../../formats/raw/open-device.ts';
import type { Storage } from '../../ports/storage.ts';
import type { MachineTarget, Target } from '../../ports/target.ts';
import { openDeviceMachine } from './device-machine.ts';
import { findDeviceProblems, findSame } from './device-preflight.ts';
import { openFolderState } from './transfer-state.ts';

export interface DeviceTargetOptions {
  /** Block devices, or regular files that are large enough, in the order of the machine's disks. */
  readonly paths: readonly string[];
  readonly stateFolder: string;
  /** Where the state folder lies. */
  readonly storage: Storage;
  readonly calls?: DeviceCalls;
}

/**
 * Devices that receive the disks of one machine, each as a raw image from its first byte on. Whatever was on them is overwritten; what lies behind a disk's end stays.
 *
 * ```text
 *   <state>/lock, devices.state, disk-0.state, ...      while the transfer runs, and after an interruption
 *   <state>/machine.yaml, report.json, report.md        when it is done
 * ```
 */
export async function openDeviceTarget(options: DeviceTargetOptions): Promise<Target> {
  const { storage, calls } = options;
  const paths = options.paths.map((path) => resolve(path));
  const stateFolder = resolve(options.stateFolder);
  let plannedMachine: string | undefined;

  return {
    kind: 'device',
    location: `device:${paths.join(',')}?state=${encodeFolder(stateFolder)}`,
    diskFormat: 'raw',

    async *preflight(need) {
      plannedMachine ??= need.machineName;
      if (plannedMachine !== need.machineName) {
        const message = `the devices take one machine, and "${plannedMachine}" is to be imported as well as "${need.machineName}"`;
        yield { severity: 'blocker', code: 'TargetDevicesMismatch', message };
      }
      yield* findDeviceProblems({ paths, stateFolder, storage, calls }, need);
    },

    async openMachine(name, { restart = false } = {}): Promise<MachineTarget> {
      await using opened = new AsyncDisposableStack();
      const state = opened.use(await openFolderState(storage, stateFolder, { restart }));
      const devices: OpenDevice[] = [];
      for (const path of paths) {
        devices.push(opened.use(await openDevice(path, calls)));
        const same = findSame(devices);
        if (same !== undefined) throw new ProblemError('TargetDevicesMismatch', same);
      }
      const machine = await openDeviceMachine({ name, devices, state });
      opened.move(); // From here on the machine has them.
      return machine;
    },

    [Symbol.asyncDispose]: async () => {},
  };
}

/** As the command line reads it back. */
function encodeFolder(path: string): string {
  return path.replaceAll(/[%&]/g, encodeURIComponent);
}
