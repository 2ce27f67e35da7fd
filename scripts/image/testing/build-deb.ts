import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FetchedPackage } from '../distribution-layer.ts';

/** Content of a file, with its mode where that matters, or where a link leads. */
export type DebContent = string | Buffer | { readonly text: string; readonly mode: number } | { readonly to: string };

/** Makes a package with the distribution's own tool. */
export function buildDeb(folder: string, name: string, files: Readonly<Record<string, DebContent>>): FetchedPackage {
  const root = join(folder, name);
  mkdirSync(join(root, 'DEBIAN'), { recursive: true });
  const control = [
    'Package: NAME',
    'Version: 1.0-1',
    'Architecture: amd64',
    'Maintainer: Nobody <nobody@localhost>',
    'Description: a test',
    '',
  ];
  writeFileSync(join(root, 'DEBIAN', 'control'), control.join('\n').replace('NAME', name));
  for (const [path, content] of Object.entries(files)) {
    const home = join(root, path);
    mkdirSync(dirname(home), { recursive: true });
    if (typeof content === 'string' || Buffer.isBuffer(content)) writeFileSync(home, content);
    else if ('to' in content) symlinkSync(content.to, home);
    else {
      writeFileSync(home, content.text);
      chmodSync(home, content.mode);
    }
  }
  const path = join(folder, `${name}.deb`);
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', root, path], { stdio: 'pipe' });
  const bytes = readFileSync(path);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, path, file: { version: '1.0-1', path: `pool/${name}.deb`, sizeBytes: bytes.length, sha256 } };
}
