import type { Component } from './component.ts';
import type { InstalledPackage } from './install-packages.ts';

/** Of a package at its path below the installation, such as `node_modules/koffi`. */
export function npmComponent(path: string, { version, integrity, license }: InstalledPackage): Component {
  const name = path.replace(/^.*node_modules\//, '');
  const [algorithm, value = ''] = integrity.split('-');
  return {
    kind: 'library',
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${encodeURIComponent(version)}`,
    ...(algorithm === 'sha512' && {
      digest: { algorithm: 'SHA-512', value: Buffer.from(value, 'base64').toString('hex') },
    }),
    licenses: license === undefined ? [] : [license],
  };
}
