import { realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { HEAD_BYTES } from '../../ports/image-file.ts';
import type { Source } from '../../ports/source.ts';
import { FolderFiles } from './folder-files.ts';
import { attempt, LocalFile } from './local-file.ts';
import { kindOfFile, makeSource, type Opened, type OpenOvaSourceOptions } from './make-source.ts';
import { RangedArchive } from './ranged-archive.ts';

/**
 * Opens the source that the location names. Reads as little as tells what it is.
 * @throws ProblemError `SourceKindUnsupported`, `SourceNotFound`, and the other problems of reaching a source
 */
export async function openOvaSource(options: OpenOvaSourceOptions): Promise<Source> {
  const { location } = options;
  if (/^https?:/i.test(location)) {
    // Only when needed: the HTTP client alone takes 20 MiB.
    const { openHttpSource } = await import('./open-http-source.ts');
    return await openHttpSource(options);
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(location)?.[1];
  if (scheme !== undefined) throw new ProblemError('SourceKindUnsupported', `${scheme}: addresses are not supported`);
  return makeSource(await openLocal(location, options), location, options, { findings: [] });
}

async function openLocal(location: string, options: CallOptions): Promise<Opened> {
  const path = await attempt(location, () => realpath(location));
  const stats = await attempt(location, () => stat(path));
  if (stats.isDirectory()) return { kind: 'appliance', files: await FolderFiles.open(path) };
  const file = await LocalFile.open(path, { name: location });
  try {
    const fileName = basename(path);
    const head = await file.read(0, Math.min(HEAD_BYTES, file.sizeBytes), options);
    const kind = kindOfFile(fileName, head);
    if (kind === 'archive') return { kind: 'appliance', files: new RangedArchive(file, { hasProof: true }) };
    await file[Symbol.asyncDispose]();
    if (kind === 'disk') return { kind, files: await FolderFiles.open(dirname(path)), fileName };
    return { kind: 'appliance', files: await FolderFiles.open(dirname(path), fileName) };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}
