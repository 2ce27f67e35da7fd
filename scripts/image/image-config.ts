import { LAUNCHER_PATH, NODE_PATH, USER_ID } from './image-paths.ts';
import type { Layer } from './layer.ts';
import type { Platform } from './platforms.ts';

export interface ImageFacts {
  readonly version: string;
  /** Commit, with `-dirty` for a checkout that has changes. */
  readonly revision: string;
  readonly createdAt: Date;
  readonly description: string;
  readonly license: string;
  /** Flags that Node is started with. */
  readonly nodeFlags: readonly string[];
}

export interface DescribedLayer extends Layer {
  /** For `docker history`. */
  readonly description: string;
}

/** The configuration of OCI image specification 1.1: how a container of the image starts. */
export function imageConfig(facts: ImageFacts, platform: Platform, layers: readonly DescribedLayer[]): object {
  const created = facts.createdAt.toISOString();
  return {
    created,
    architecture: platform.architecture,
    os: 'linux',
    config: {
      User: `${USER_ID}:${USER_ID}`,
      Env: ['PATH=/usr/bin'],
      // No shell and no second start of Node. Arguments choose what runs: a command, `controller` or `transfer-worker`.
      Entrypoint: [`/${NODE_PATH}`, ...facts.nodeFlags, `/${LAUNCHER_PATH}`],
      Cmd: ['--help'],
      WorkingDir: '/data',
      Labels: imageLabels(facts),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ description }) => ({ created, created_by: 'npm run image', comment: description })),
  };
}

/** Also the annotations of the manifest. */
export function imageLabels(facts: ImageFacts): Readonly<Record<string, string>> {
  const label = (name: string, value: string) => [`org.opencontainers.image.${name}`, value] as const;
  return Object.fromEntries([
    label('title', 'airlift'),
    label('description', facts.description),
    label('version', facts.version),
    label('revision', facts.revision),
    label('licenses', facts.license),
    label('created', facts.createdAt.toISOString()),
  ]);
}
