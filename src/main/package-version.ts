import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version of the package this code is part of: two folders up, both in src/ and in dist/. */
export const airliftVersion: string = readVersion();

function readVersion(): string {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
