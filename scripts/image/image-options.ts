import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ImageError } from './image-error.ts';
import { PLATFORMS, type Platform, parsePlatforms } from './platforms.ts';

export interface ImageOptions {
  /** Repository part of the image's name, without a tag. */
  readonly name: string;
  readonly out: string;
  readonly platforms: readonly Platform[];
  readonly updatesLock: boolean;
}

export const IMAGE_USAGE = `Usage: npm run image -- [options]

Builds Airlift's container image, without a container daemon and without another image.

  --name NAME          repository of the image, ending in /airlift   (default airlift)
  --platform LIST      of ${PLATFORMS.map(({ architecture }) => `linux/${architecture}`).join(', ')}   (default all)
  --out FOLDER         where the layout, the archives and the bills of materials go   (default build/image)
  --update-lock        take the newest distribution packages into image/packages.lock.json; builds nothing`;

/** @param root what relative paths are below. @returns undefined when help is asked for. @throws ImageError for anything unknown */
export function parseImageOptions(args: readonly string[], root: string): ImageOptions | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        name: { type: 'string', default: 'airlift' },
        platform: { type: 'string', default: PLATFORMS.map(({ architecture }) => architecture).join(',') },
        out: { type: 'string', default: 'build/image' },
        'update-lock': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return undefined;
    return {
      name: values.name,
      out: resolve(root, values.out),
      platforms: parsePlatforms(values.platform),
      updatesLock: values['update-lock'],
    };
  } catch (cause) {
    if (cause instanceof ImageError || !(cause instanceof Error)) throw cause;
    throw new ImageError(`${cause.message}\n\n${IMAGE_USAGE}`, { cause });
  }
}
