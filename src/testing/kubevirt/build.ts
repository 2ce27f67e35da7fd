import { join } from 'node:path';
import { buildGoPrograms } from '../go/build-go.ts';

/** Path of the judge (main.go beside this file), built on first use: two to three minutes with Go's cache cold. */
export async function buildKubevirtJudge(): Promise<string> {
  const folder = await buildGoPrograms({
    name: 'kubevirt-judge',
    folder: import.meta.dirname,
    packages: ['.'],
    duration: 'two to three minutes',
  });
  return join(folder, 'kubevirt-judge');
}
