import { ProblemError } from '../../domain/problems.ts';
import { openDiskImage } from '../../formats/open-disk-image.ts';
import type { Manifest } from '../../formats/ova/manifest.ts';
import { hrefNames, safeMemberName } from '../../formats/ova/member-name.ts';
import type { OvfFile } from '../../formats/ova/ovf-package.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import type { DiskFiles } from '../../ports/image-file.ts';
import type { ApplianceFiles } from './appliance-files.ts';
import { digestOf, openStoredFile } from './stored-file.ts';

export interface OpenDiskOptions extends CallOptions {
  readonly manifest: Manifest | undefined;
  readonly virtualSizeBytes?: number;
  readonly declaredFormat?: string | undefined;
}

/** Opens the disk image in a file of the appliance, with the files it names in turn, which lie in the same folder. */
export async function openDiskOf(files: ApplianceFiles, file: OvfFile, options: OpenDiskOptions): Promise<DiskReader> {
  const { manifest, signal, virtualSizeBytes, declaredFormat } = options;
  const main = await openStoredFile(files, file, manifest, { signal });
  const folder = (hrefNames(file.href)[0] ?? '').split('/').slice(0, -1);
  const disk: DiskFiles = {
    main,
    open: async (name, call = {}) => {
      if (safeMemberName(name) !== name)
        throw new ProblemError('ArchiveMemberUnsafe', `${main.name} names ${JSON.stringify(name)}, which has a path`);
      const path = [...folder, name].join('/');
      const located = await files.locate(path, call);
      if (!located)
        throw new ProblemError(
          'DiskFileMissing',
          `${main.name} names ${JSON.stringify(name)}, which is not in ${files.name}`,
        );
      return await files.open(located, digestOf(manifest, path), call);
    },
  };
  return await openDiskImage(disk, { signal, virtualSizeBytes, declaredFormat });
}
