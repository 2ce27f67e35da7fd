// The container image as others see it: built twice from clones, read by skopeo, umoci and containerd, and run as strictly as a cluster may.
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImageSummary } from '../scripts/image/image-summary.ts';
import { buildSampleAppliance, SAMPLE_NAME } from '../src/app/sample/sample-appliance.ts';
import { writeStreamOptimized } from '../src/formats/vmdk/stream-optimized-writer.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { type Containerd, startContainerd } from './image-containerd.ts';
import { runInImage, unpackImage } from './image-run.ts';
import { qemuImg, ROOT, runCli, temporaryFolder } from './support.ts';

const USER_ID = 107;
const hasTools =
  ['git', 'apt-get', 'skopeo', 'umoci', 'runc', 'containerd', 'ctr', 'file'].every(requireTool) &&
  process.getuid?.() === 0;

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let first: string;
let second: string;
let summary: ImageSummary;

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const readSummary = (out: string): ImageSummary => JSON.parse(readFileSync(join(out, 'image.json'), 'utf8'));
const platformOf = (architecture: string) => {
  const found = summary.platforms.find(({ platform }) => platform === `linux/${architecture}`);
  if (found === undefined) throw new Error(`no image for ${architecture}`);
  return found;
};

/** Builds what is committed in `origin`, in a clone of its own; the installed packages are shared, for they are no part of the image. */
function buildInClone(name: string, origin: string): string {
  const clone = join(folder.path, name);
  run('git', 'clone', '--quiet', origin, clone);
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  const out = join(folder.path, `${name}-out`);
  run(process.execPath, join(clone, 'bin', 'launch.js'), 'image', '--out', out);
  return out;
}

describe.skipIf(!hasTools)('the container image', () => {
  beforeAll(() => {
    first = buildInClone('first', ROOT);
    // Of the first clone, since somebody may commit meanwhile.
    second = buildInClone('second-with-a-longer-name', join(folder.path, 'first'));
    summary = readSummary(first);
  });

  test('has one digest, however often, wherever and whenever it is built', () => {
    expect(readSummary(second)).toEqual(summary);
    for (const name of ['oci/index.json', ...readdirSync(first).filter((each) => each !== 'oci')]) {
      expect(readFileSync(join(first, name)).equals(readFileSync(join(second, name))), name).toBe(true);
    }
    expect(summary.revision).toMatch(/^[0-9a-f]{40}$/);
  });

  test('is small', () => {
    for (const { compressedBytes } of summary.platforms) expect(compressedBytes).toBeLessThan(150_000_000);
  });

  describe.each(['amd64', 'arm64'])('for %s', (architecture) => {
    test('skopeo reads layout and both archives, and sees the same image', () => {
      const { digest, ociArchive, dockerArchive, layers } = platformOf(architecture);
      const inspect = (source: string) =>
        JSON.parse(run('skopeo', `--override-arch=${architecture}`, 'inspect', source));
      const layout = inspect(`oci:${join(first, 'oci')}:0.1.0`);
      const archive = inspect(`oci-archive:${join(first, ociArchive)}`);
      const docker = inspect(`docker-archive:${join(first, dockerArchive)}`);
      for (const seen of [layout, archive, docker]) {
        expect(seen).toMatchObject({
          Architecture: architecture,
          Os: 'linux',
          Labels: { 'org.opencontainers.image.version': '0.1.0' },
        });
      }
      expect(archive.Digest).toBe(digest);
      expect(layout.Layers).toEqual(layers.map((layer) => layer.digest));
      expect(docker.Layers).toHaveLength(layers.length);
    });

    test('skopeo copies it, which checks every digest', () => {
      const { ociArchive, dockerArchive } = platformOf(architecture);
      const copy = (source: string, name: string) =>
        run(
          'skopeo',
          '--insecure-policy',
          `--override-arch=${architecture}`,
          'copy',
          source,
          `dir:${join(folder.path, name)}`,
        );
      copy(`oci-archive:${join(first, ociArchive)}`, `oci-copy-${architecture}`);
      copy(`docker-archive:${join(first, dockerArchive)}`, `docker-copy-${architecture}`);
    });

    test('holds no shell and no program but Node and the command, all for its processor', () => {
      const root = join(
        unpackImage(folder.path, join(first, platformOf(architecture).ociArchive), `programs-${architecture}`),
        'rootfs',
      );
      expect(readdirSync(join(root, 'usr/bin')).toSorted()).toEqual(['airlift', 'node']);
      for (const empty of ['usr/sbin', 'data', 'tmp']) expect(readdirSync(join(root, empty))).toEqual([]);
      const natives = run(
        'find',
        root,
        '-name',
        '*.node',
        '-o',
        '-name',
        '*.so',
        '-o',
        '-name',
        '*.so.*',
        '-o',
        '-path',
        '*/usr/bin/node',
      )
        .trim()
        .split('\n');
      expect(natives.length).toBeGreaterThan(10);
      const told = run('file', '--brief', ...natives)
        .trim()
        .split('\n')
        .filter((line) => !line.includes('symbolic link'));
      const processor = architecture === 'amd64' ? 'x86-64' : 'ARM aarch64';
      expect(told.filter((line) => !line.includes('ELF 64-bit') || !line.includes(processor))).toEqual([]);
      expect(run('find', root, '-perm', '/6000')).toBe('');
    });

    test('its bill of materials names exactly what is in it', () => {
      const root = join(
        unpackImage(folder.path, join(first, platformOf(architecture).ociArchive), `bill-${architecture}`),
        'rootfs',
      );
      const bill = JSON.parse(readFileSync(join(first, platformOf(architecture).billOfMaterials), 'utf8'));
      const purls: string[] = bill.components.map(({ purl }: { purl: string }) => purl);
      expect(new Set(purls).size).toBe(purls.length);
      const debian = readdirSync(join(root, 'var/lib/dpkg/status.d')).map((name) => {
        const control = readFileSync(join(root, 'var/lib/dpkg/status.d', name), 'utf8');
        expect(existsSync(join(root, 'usr/share/doc', name, 'copyright')), name).toBe(true);
        return `${name} ${/^Version: (.*)$/m.exec(control)?.[1]}`;
      });
      const npm = run('find', join(root, 'opt/airlift/node_modules'), '-name', 'package.json')
        .trim()
        .split('\n')
        .filter((path) => /node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path))
        .map((path) => JSON.parse(readFileSync(path, 'utf8')))
        .map(({ name, version }) => `${name} ${version}`);
      const billed: string[] = bill.components.map(
        ({ name, version }: { name: string; version: string }) => `${name} ${version}`,
      );
      const node = billed.find((each) => each.startsWith('node-linux-'));
      expect(node).toBeDefined();
      expect(billed.filter((each) => each !== node).toSorted()).toEqual([...new Set([...debian, ...npm])].toSorted());
    });
  });

  describe('run by runc without rights, network or a place to write', () => {
    let bundle: string;
    let input: string;
    let output: string;
    beforeAll(async () => {
      bundle = unpackImage(folder.path, join(first, platformOf('amd64').ociArchive), 'run');
      [input, output] = ['in', 'out'].map((name) => {
        const path = join(folder.path, name);
        mkdirSync(path);
        return path;
      }) as [string, string];
      chownSync(output, USER_ID, USER_ID);
      await using file = await open(join(input, 'sample.ova'), 'w');
      for await (const piece of buildSampleAppliance(writeStreamOptimized)) await file.writeFile(piece);
    });
    const airlift = (...args: string[]) => runInImage(bundle, args, { '/in': input, '/data': output });

    test('tells its versions, with libdeflate, libcrypto and libc in use', () => {
      const { status, stdout } = airlift('version', '--output', 'json');
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        airlift: '0.1.0',
        node: process.version,
        inflate: expect.stringContaining('libdeflate'),
        hashes: 'libcrypto',
        libc: 'used',
      });
    });

    test('inspects an appliance that is mounted', () => {
      const { status, stdout } = airlift('inspect', '/in/sample.ova');
      expect(status).toBe(0);
      expect(stdout).toContain(SAMPLE_NAME);
    });

    test('imports it into a folder that is mounted, byte for byte', async () => {
      const { status, stdout } = airlift('import', '/in/sample.ova', '--to', 'dir:.', '--yes');
      expect(stdout).toContain('verified');
      expect(status).toBe(0);
      const report = join(output, SAMPLE_NAME, 'report.json');
      qemuImg('check', join(output, SAMPLE_NAME, 'disk-0.qcow2'));
      const verified = await runCli(['verify', report, '--source', join(input, 'sample.ova')]);
      expect(verified.stdout + verified.stderr).toContain('identical');
      expect(verified.status).toBe(0);
    });

    test('cannot write where nothing is mounted, not even to /tmp', () => {
      const { status, stderr } = airlift('import', '/in/sample.ova', '--to', 'dir:/tmp/out', '--yes');
      expect(status).not.toBe(0);
      expect(stderr).toMatch(/EROFS|read-only/);
    });

    test('has the command by its name for who looks into a container', () => {
      const { status, stdout } = runInImage(bundle, ['version'], {}, ['/usr/bin/airlift']);
      expect(stdout).toMatch(/airlift +0\.1\.0/);
      expect(status).toBe(0);
    });
  });

  describe('in containerd', () => {
    let containerd: Containerd;
    beforeAll(async () => {
      containerd = await startContainerd(join(folder.path, 'containerd'));
    });
    afterAll(() => containerd.stop());

    test('has the name and digest that a manifest asks for, and runs', () => {
      const { ociArchive, digest } = platformOf('amd64');
      containerd.ctr('images', 'import', join(first, ociArchive));
      expect(containerd.ctr('images', 'list')).toMatch(new RegExp(`^${summary.name} .*${digest}`, 'm'));
      const name = 'docker.io/library/airlift:0.1.0';
      expect(summary.name).toBe(name);
      const output = containerd.ctr(
        'run',
        '--rm',
        '--read-only',
        name,
        'airlift-version',
        '/usr/bin/airlift',
        'version',
      );
      expect(output).toMatch(/airlift +0\.1\.0/);
    });

    test('has the same name from the docker archive, and runs', () => {
      containerd.ctr('images', 'remove', summary.name);
      containerd.ctr('images', 'import', join(first, platformOf('amd64').dockerArchive));
      expect(containerd.ctr('images', 'list', '--quiet').trim().split('\n')).toContain(summary.name);
      expect(containerd.ctr('run', '--rm', '--read-only', summary.name, 'airlift-docker')).toContain('Usage: airlift');
    });

    test('does not take the image for another processor unless told to keep it', () => {
      containerd.ctr('images', 'remove', summary.name);
      const { ociArchive } = platformOf('arm64');
      expect(() => containerd.ctr('images', 'import', join(first, ociArchive))).toThrow('might be filtered out');
      expect(containerd.ctr('images', 'list', '--quiet')).toBe('');
      containerd.ctr('images', 'import', '--all-platforms', join(first, ociArchive));
      expect(containerd.ctr('images', 'list')).toMatch(new RegExp(`^${summary.name} .*linux/arm64`, 'm'));
    });
  });

  test('a version that the mirrors no longer have stops the build by its name', () => {
    const clone = join(folder.path, 'first');
    const lockPath = join(clone, 'image', 'packages.lock.json');
    const lock = readFileSync(lockPath, 'utf8');
    const changed = JSON.parse(lock);
    const file = changed.packages.libdeflate0.amd64;
    Object.assign(file, {
      version: '0.0-vanished',
      sha256: '00'.repeat(32),
      path: file.path.replace(/_.*_/, '_0.0-vanished_'),
    });
    writeFileSync(lockPath, JSON.stringify(changed));
    const build = () =>
      run(
        process.execPath,
        join(clone, 'bin', 'launch.js'),
        'image',
        '--platform',
        'amd64',
        '--out',
        join(folder.path, 'none'),
      );
    expect(build).toThrow(/libdeflate0 0\.0-vanished cannot be had .*--update-lock/);
    expect(existsSync(join(folder.path, 'none', 'image.json'))).toBe(false);
    writeFileSync(lockPath, lock);
  });
});
