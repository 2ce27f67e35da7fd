import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTool } from './require-tool.ts';

export interface LoopDevice extends Disposable {
  readonly path: string;
  /** What lies below the device. */
  readonly backingFile: string;
}

export interface LoopDeviceOptions {
  readonly content: Uint8Array;
  readonly logicalBlockBytes?: 512 | 4096;
  readonly readOnly?: boolean;
  /** Where the backing file lies; a folder of its own unless told. */
  readonly folder?: string;
}

/** True when this process may make loop devices; containers often forbid it. */
export function canMakeLoopDevices(): boolean {
  if (!requireTool('losetup')) return false;
  try {
    if (!existsSync('/dev/loop-control')) throw new Error('there is no /dev/loop-control');
    makeLoopDevice({ content: new Uint8Array(4096) })[Symbol.dispose]();
    return true;
  } catch (cause) {
    if (process.env.AIRLIFT_REQUIRE_TOOLS) throw new Error('loop devices cannot be made here', { cause });
    console.warn('skipped: loop devices cannot be made here (needs root)');
    return false;
  }
}

/** A block device of its own; removed with its backing file when disposed. */
export function makeLoopDevice(options: LoopDeviceOptions): LoopDevice {
  const { content, logicalBlockBytes = 512, readOnly = false, folder } = options;
  const own = mkdtempSync(join(folder ?? tmpdir(), 'airlift-loop-'));
  const backingFile = join(own, 'backing.img');
  writeFileSync(backingFile, content);
  const flags = ['--find', '--show', '--sector-size', String(logicalBlockBytes), ...(readOnly ? ['--read-only'] : [])];
  try {
    const path = execFileSync('losetup', [...flags, backingFile], { encoding: 'utf8' }).trim();
    return {
      path,
      backingFile,
      [Symbol.dispose]() {
        execFileSync('losetup', ['--detach', path]);
        rmSync(own, { recursive: true });
      },
    };
  } catch (error) {
    rmSync(own, { recursive: true });
    throw error;
  }
}
