import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Kubectl } from '../kubectl.ts';
import { runProgram } from '../run-program.ts';

/** Without a provisioner both: a claim gets a volume that is already there. */
export const STORAGE_CLASSES = { WaitForFirstConsumer: 'local-wait', Immediate: 'local-now' } as const;
const DETACH_MS = 20_000;
export type BindingMode = keyof typeof STORAGE_CLASSES;

export interface LocalVolumeOptions {
  readonly name: string;
  readonly sizeBytes: number;
  readonly volumeMode: 'Block' | 'Filesystem';
  /** `WaitForFirstConsumer` unless told. */
  readonly bindingMode?: BindingMode;
  /** ReadWriteOnce unless told; the volume does not enforce it. */
  readonly accessModes?: readonly string[];
  /** Names of nodes that reach it as well, like a volume on a network: all nodes share this machine's devices. */
  readonly alsoOn?: readonly string[];
}

/** A PersistentVolume on one node, on a loop device over a sparse file. */
export interface LocalVolume {
  readonly name: string;
  readonly storageClass: string;
  /** Such as `/dev/loop3`. */
  readonly device: string;
  /** Sparse. Lags behind the device until `read` or a flush. */
  readonly backingFile: string;
  /** Bytes of the backing file, after everything written to the device has reached it. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The PersistentVolume and what is below it; no Pod may use it any more. */
  remove(): Promise<void>;
}

export function storageClassObjects(): object[] {
  return Object.entries(STORAGE_CLASSES).map(([volumeBindingMode, name]) => ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode,
  }));
}

export interface VolumePlace {
  /** The cluster's. */
  readonly folder: string;
  readonly node: string;
  readonly kubectl: Kubectl;
}

export async function createLocalVolume(place: VolumePlace, options: LocalVolumeOptions): Promise<LocalVolume> {
  const { name, sizeBytes, volumeMode, bindingMode = 'WaitForFirstConsumer', alsoOn = [] } = options;
  const nodes = [place.node, ...alsoOn];
  const storageClass = STORAGE_CLASSES[bindingMode];
  const backingFile = join(place.folder, 'volumes', `${name}.img`);
  await mkdir(join(place.folder, 'volumes'), { recursive: true });
  await writeFile(backingFile, '', { flag: 'wx' });
  await runProgram('truncate', ['--size', String(sizeBytes), backingFile]);
  const device = (await runProgram('losetup', ['--find', '--show', backingFile])).trim();
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: String(sizeBytes) },
      volumeMode,
      accessModes: options.accessModes ?? ['ReadWriteOnce'],
      storageClassName: storageClass,
      persistentVolumeReclaimPolicy: 'Retain',
      // The kubelet makes the file system itself, on first use.
      local: { path: device, ...(volumeMode === 'Filesystem' ? { fsType: 'ext4' } : {}) },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: nodes }] }],
        },
      },
    },
  };
  await place.kubectl(['create', '-f', '-'], { input: JSON.stringify(volume) });
  return {
    name,
    storageClass,
    device,
    backingFile,
    async read(offset, length) {
      await runProgram('sync', [device]);
      const file = await open(backingFile);
      try {
        const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, offset);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
    async remove() {
      await place.kubectl(['delete', 'persistentvolume', name, '--ignore-not-found', '--wait=false']);
      await detachWithThoseAbove(device);
      await rm(backingFile);
    },
  };
}

/** Loop devices over files of the cluster, and those that the kubelet puts over these, so that a volume's device stays the same while it is in use. */
export async function detachLoopDevices(folder: string): Promise<void> {
  const until = performance.now() + DETACH_MS;
  for (;;) {
    const devices = await loopDevicesBelow(folder);
    if (devices.length === 0) return;
    if (performance.now() > until) throw new Error(`these loop devices cannot be detached: ${devices.join(', ')}`);
    for (const device of devices) await detachWithThoseAbove(device);
    // One whose file system was mounted in the node goes when the kernel has unmounted that, a little after the node's end.
    await delay(100);
  }
}

/** Those above are found by the inode of the device itself: the path that they were made with is one of the node's, which is gone. */
async function detachWithThoseAbove(device: string): Promise<void> {
  const above = await runProgram('losetup', ['--list', '--noheadings', '--output', 'NAME', '--associated', device]);
  for (const each of above.split('\n').filter(Boolean)) await detachWithThoseAbove(each);
  await runProgram('losetup', ['--detach', device]).catch((error: Error) => {
    if (!error.message.includes('No such device')) throw error; // it went by itself meanwhile
  });
}

async function loopDevicesBelow(folder: string): Promise<string[]> {
  const json = await runProgram('losetup', ['--json', '--list', '--output', 'NAME,BACK-FILE']);
  const { loopdevices } = JSON.parse(json || '{"loopdevices":[]}') as {
    readonly loopdevices: readonly { readonly name: string; readonly 'back-file': string | null }[];
  };
  return loopdevices.filter((each) => each['back-file']?.startsWith(`${folder}/`)).map(({ name }) => name);
}
