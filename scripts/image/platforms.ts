import { ImageError } from './image-error.ts';

/** A platform the image is built for, in everybody's own words. */
export interface Platform {
  /** GOARCH, as the OCI image specification says it. */
  readonly architecture: 'amd64' | 'arm64';
  readonly debian: string;
  /** `process.arch` of Node, which is also npm's `--cpu`. */
  readonly npm: string;
  /** Folder below /usr/lib that Debian's shared libraries lie in. */
  readonly triplet: string;
  /** e_machine of elf.h. */
  readonly elfMachine: number;
}

export const PLATFORMS: readonly Platform[] = [
  { architecture: 'amd64', debian: 'amd64', npm: 'x64', triplet: 'x86_64-linux-gnu', elfMachine: 62 },
  { architecture: 'arm64', debian: 'arm64', npm: 'arm64', triplet: 'aarch64-linux-gnu', elfMachine: 183 },
];

/** Of `linux/amd64` or `amd64`, several separated by commas. @throws ImageError */
export function parsePlatforms(text: string): readonly Platform[] {
  return text.split(',').map((each) => {
    const platform = PLATFORMS.find(({ architecture }) =>
      [architecture, `linux/${architecture}`].includes(each.trim()),
    );
    if (platform === undefined) {
      throw new ImageError(
        `no platform ${each}; give --platform ${PLATFORMS.map(({ architecture }) => `linux/${architecture}`).join(',')}`,
      );
    }
    return platform;
  });
}
