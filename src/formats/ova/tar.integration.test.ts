import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect } from '../../testing/collect.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { buildTar } from '../../testing/ova-tar.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { listTarMembers } from './tar.ts';

describe.skipIf(!requireTool('tar'))('archives of the system tar', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'airlift-tar-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const long = `${'n'.repeat(150)}.vmdk`;
  const contents = new Map([
    ['a.ovf', Buffer.from('<Envelope/>')],
    ['größe.mf', Buffer.from('')],
    ['disk.vmdk', Buffer.alloc(700_001, 7)],
  ]);
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  it.each(['ustar', 'posix', 'gnu', 'oldgnu', 'v7'])('in the %s format', async (format) => {
    const files = new Map(contents);
    if (!['ustar', 'v7'].includes(format)) files.set(long, Buffer.from('long'));
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
    execFileSync('tar', ['-C', folder, `--format=${format}`, '-cf', join(folder, 'x.tar'), ...files.keys()]);
    const archive = readFileSync(join(folder, 'x.tar'));
    const members = await collect(listTarMembers(new MemoryImageFile(archive)));
    expect(members.map((member) => member.name)).toEqual([...files.keys()]);
    for (const member of members) {
      const content = archive.subarray(member.offset, member.offset + member.sizeBytes);
      expect(sha256(content)).toBe(sha256(files.get(member.name) ?? Buffer.alloc(0)));
    }
  });

  it.each(['posix', 'gnu'])('with a member of 9 GiB in the %s format', async (format) => {
    writeFileSync(join(folder, 'big'), '');
    truncateSync(join(folder, 'big'), 9 * 2 ** 30);
    writeFileSync(join(folder, 'last'), 'x');
    // Of 9 GiB only the head is wanted, so the pipe is closed early.
    const script = 'tar -C "$1" --format="$2" -cf - big last | head -c 4096';
    const head = execFileSync('sh', ['-c', script, 'sh', folder, format]);
    const listing = listTarMembers(
      Object.assign(new MemoryImageFile(head), { sizeBytes: 10 * 2 ** 30, read: async () => head }),
    );
    expect(await listing.next()).toMatchObject({ value: { name: 'big', sizeBytes: 9 * 2 ** 30 } });
    await listing.return();
  });

  it.each(['--hard-dereference', '--no-recursion'])('with links are refused (%s)', async (option) => {
    execFileSync('sh', [
      '-c',
      'cd "$1" && echo x > a && ln -s a b && ln a c && tar "$2" -cf x.tar a b c',
      'sh',
      folder,
      option,
    ]);
    const archive = readFileSync(join(folder, 'x.tar'));
    await expect(collect(listTarMembers(new MemoryImageFile(archive)))).rejects.toMatchObject({
      code: 'ArchiveMemberUnsafe',
    });
  });

  it.each(['ustar', 'pax', 'gnu'] as const)('read what our test builder writes as %s', (format) => {
    const entries = [...contents].map(([name, bytes]) => ({ name, bytes, format }));
    writeFileSync(join(folder, 'x.tar'), buildTar(entries));
    const names = execFileSync('tar', ['--quoting-style=literal', '-tf', join(folder, 'x.tar')], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    expect(names.trim().split('\n')).toEqual([...contents.keys()]);
    const disk = execFileSync('tar', ['-xOf', join(folder, 'x.tar'), 'disk.vmdk'], { maxBuffer: 2 ** 24 });
    expect(sha256(disk)).toBe(sha256(contents.get('disk.vmdk') ?? Buffer.alloc(0)));
  });
});
