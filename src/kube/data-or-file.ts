import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ProblemError } from '../domain/problems.ts';
import type { Entry } from './kubeconfig-file.ts';

/**
 * A value that a kubeconfig holds in base64 (`<field>-data`, which counts more) or as the path of a file (`<field>`), starting at the kubeconfig's folder.
 * @throws ProblemError `KubeconfigUnusable`
 */
export async function readDataOrFile<F extends string>(
  { file, folder }: Entry<unknown>,
  value: Readonly<Partial<Record<F | `${F}-data`, unknown>>>,
  field: F,
): Promise<string | undefined> {
  const data = value[`${field}-data`];
  if (typeof data === 'string') {
    const decoded = Buffer.from(data, 'base64').toString('utf8');
    if (!decoded.includes('-----BEGIN '))
      throw new ProblemError('KubeconfigUnusable', `${file}: ${field}-data is no PEM in base64`);
    return decoded;
  }
  const path = value[field];
  if (typeof path !== 'string') return undefined;
  try {
    return await readFile(resolve(folder, path), 'utf8');
  } catch (cause) {
    throw new ProblemError('KubeconfigUnusable', `${file}: the ${field} ${resolve(folder, path)} cannot be read`, {
      cause,
    });
  }
}
