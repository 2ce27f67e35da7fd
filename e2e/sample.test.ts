// What `npm start` does for a newcomer, down to a machine that boots: the sample is built, imported to qcow2 and started in QEMU.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BOOT_LINE } from '../src/app/sample/boot-sector.ts';
import { SAMPLE_NAME } from '../src/app/sample/sample-appliance.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { bootUntil } from './boot-disk.ts';
import { qemuImg, ROOT, runCli, temporaryFolder } from './support.ts';

/** `npm start` runs this file in the folder it was called from. */
function start(cwd: string): string {
  const script = join(ROOT, 'src/main/start.ts');
  return execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', script], { cwd, encoding: 'utf8' });
}

describe.skipIf(!requireTool('qemu-img') || !requireTool('qemu-system-x86_64'))('the sample appliance', () => {
  test('is built and imported by npm start, twice in a row, and boots from the result', async () => {
    using folder = temporaryFolder();
    for (const _time of ['first', 'second']) start(folder.path);
    const data = join(folder.path, 'airlift-data');
    expect(readdirSync(data).toSorted()).toEqual([SAMPLE_NAME, `${SAMPLE_NAME}.ova`]);
    const disk = join(data, SAMPLE_NAME, 'disk-0.qcow2');
    expect(qemuImg('check', disk)).toContain('No errors were found');
    expect(await bootUntil(BOOT_LINE, disk, 'qcow2')).toContain(BOOT_LINE);
  });

  test('boots from a compressed qcow2 too, and verify finds the result as it was written', async () => {
    using folder = temporaryFolder();
    start(folder.path);
    const ova = join(folder.path, 'airlift-data', `${SAMPLE_NAME}.ova`);
    const target = `dir:${folder.path}?format=qcow2&compression=zstd`;
    expect(await runCli(['import', ova, '--to', target, '--yes'])).toMatchObject({ status: 0 });
    const machine = join(folder.path, SAMPLE_NAME);
    expect(existsSync(`${machine}.partial`)).toBe(false);
    const report = JSON.parse(readFileSync(join(machine, 'report.json'), 'utf8'));
    expect(report.disks).toMatchObject([{ file: 'disk-0.qcow2', virtualSizeBytes: 2 ** 30, resumes: 0 }]);
    expect(await runCli(['verify', join(machine, 'report.json')])).toMatchObject({ status: 0 });
    expect(await bootUntil(BOOT_LINE, join(machine, 'disk-0.qcow2'), 'qcow2')).toContain(BOOT_LINE);
  });
});
