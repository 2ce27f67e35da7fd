import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { writeStreamOptimized } from '../../formats/vmdk/stream-optimized-writer.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { BOOT_LINE } from './boot-sector.ts';
import { buildSampleAppliance, SAMPLE_NAME, SAMPLE_VIRTUAL_BYTES, sampleGrains } from './sample-appliance.ts';

const BOOT_TIMEOUT_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'airlift-sample-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function writeRawDisk(): Promise<string> {
  const path = join(folder, 'sample.raw');
  await using file = await open(path, 'w');
  await file.truncate(SAMPLE_VIRTUAL_BYTES);
  for (const { offset, bytes } of sampleGrains()) await file.write(bytes, 0, bytes.length, offset);
  return path;
}

/** What the machine says on its serial port until it has said `line`. The machine halts and would run for ever, so it is ended then. */
function bootUntil(line: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('qemu-system-x86_64', [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), BOOT_TIMEOUT_MS);
    child.stderr.on('data', (data: Buffer) => {
      output += data.toString('latin1');
    });
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString('latin1');
      if (output.includes(line)) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      resolve(output);
    });
  });
}

describe.skipIf(!requireTool('qemu-system-x86_64'))('the sample in QEMU', () => {
  test.each(['ahci', 'virtio'])('boots from a disk on %s and prints its line on the serial port', async (bus) => {
    const path = await writeRawDisk();
    const device = bus === 'ahci' ? ['-device', 'ahci,id=sata', '-device', 'ide-hd,drive=d,bus=sata.0'] : [];
    const drive = `file=${path},format=raw,id=d,if=${bus === 'ahci' ? 'none' : 'virtio'}`;
    const output = await bootUntil(BOOT_LINE, [
      ...['-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-net', 'none', '-snapshot', '-m', '64'],
      ...['-drive', drive, ...device],
    ]);
    expect(output).toContain(BOOT_LINE);
  });
});

describe.skipIf(!requireTool('qemu-img'))('the sample as an OVA', () => {
  test('tar lists it and qemu-img finds its disk the same as the raw one', async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of buildSampleAppliance(writeStreamOptimized)) pieces.push(piece);
    writeFileSync(join(folder, 'sample.ova'), Buffer.concat(pieces));
    const listed = execFileSync('tar', ['tf', 'sample.ova'], { cwd: folder, encoding: 'utf8' });
    expect(listed).toBe(`${SAMPLE_NAME}.ovf\n${SAMPLE_NAME}.mf\n${SAMPLE_NAME}-disk1.vmdk\n`);
    execFileSync('tar', ['xf', 'sample.ova'], { cwd: folder });
    const raw = await writeRawDisk();
    const vmdk = join(folder, `${SAMPLE_NAME}-disk1.vmdk`);
    const compared = execFileSync('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', vmdk, raw], { encoding: 'utf8' });
    expect(compared).toContain('Images are identical.');
    // OpenSSL's form of a manifest, as `sha256sum --tag` would check it with a blank more.
    const sums = execFileSync(
      'sh',
      ['-c', `sed -E 's/^SHA256\\((.*)\\)= (.*)$/\\2  \\1/' ${SAMPLE_NAME}.mf | sha256sum -c -`],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    expect(sums).toBe(`${SAMPLE_NAME}.ovf: OK\n${SAMPLE_NAME}-disk1.vmdk: OK\n`);
  });
});
