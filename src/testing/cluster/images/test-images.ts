import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cacheFolder } from '../../go/cache-folder.ts';
import { runProgram } from '../run-program.ts';
import { buildImageArchive } from './build-image-archive.ts';

/** A shell and small tools, present on every node. */
export const BUSYBOX_IMAGE = 'airlift.test/busybox:1';
/** What holds a Pod's namespaces open. */
export const PAUSE_IMAGE = 'airlift.test/pause:1';

/** Archives of both images, made of the machine's own static busybox. */
export async function buildTestImages(): Promise<string[]> {
  const program = (await runProgram('sh', ['-c', 'command -v busybox'])).trim();
  const [version = ''] = (await runProgram(program, [])).split('\n');
  const applets = (await runProgram(program, ['--list'])).trim().split('\n');
  const common = {
    files: { 'bin/busybox': program },
    links: Object.fromEntries(applets.filter((each) => each !== 'busybox').map((each) => [`bin/${each}`, 'busybox'])),
    folders: ['tmp', 'etc', 'proc', 'sys', 'dev'],
  };
  // The shell passes on SIGTERM as an end and buries what is left to it as the Pod's first process.
  const pause = ['/bin/sh', '-c', "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"];
  const archives: string[] = [];
  for (const image of [
    { ...common, name: BUSYBOX_IMAGE, entrypoint: ['/bin/sh'] },
    { ...common, name: PAUSE_IMAGE, entrypoint: pause },
  ]) {
    const key = createHash('sha256')
      .update(JSON.stringify([version, image]))
      .digest('hex')
      .slice(0, 16);
    const path = cacheFolder('test-images', `${key}.tar`);
    await mkdir(dirname(path), { recursive: true });
    if (!existsSync(path)) await buildImageArchive(image, path);
    archives.push(path);
  }
  return archives;
}
