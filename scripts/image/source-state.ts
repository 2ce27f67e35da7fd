import { ImageError } from './image-error.ts';
import type { RunProgram } from './run-program.ts';

export interface SourceState {
  readonly revision: string;
  readonly createdAt: Date;
}

/** What becomes part of the image; a change elsewhere makes it no other image. */
const PARTS = [
  'bin',
  'src',
  'image',
  'scripts/image',
  'scripts/build.ts',
  'package.json',
  'package-lock.json',
  'LICENSE',
];

/**
 * The commit and its time, which is the image's own: the time of the build would make every build another image. SOURCE_DATE_EPOCH goes before it (reproducible-builds.org).
 * @throws ImageError outside a checkout
 */
export async function readSourceState(
  root: string,
  environment: NodeJS.ProcessEnv,
  run: RunProgram,
): Promise<SourceState> {
  const last = await run('git', ['log', '-1', '--format=%H %ct'], { cwd: root });
  const [commit, committedSeconds] = last.status === 0 ? last.stdout.trim().split(' ') : [];
  const seconds = environment.SOURCE_DATE_EPOCH ?? committedSeconds;
  if (seconds === undefined || !/^[0-9]{1,11}$/.test(seconds)) {
    throw new ImageError(
      'the image has the time of the last commit: build it in a git checkout, or set SOURCE_DATE_EPOCH to seconds since 1970',
    );
  }
  const changes = await run('git', ['status', '--porcelain', '--', ...PARTS], { cwd: root });
  const suffix = changes.stdout.trim() === '' ? '' : '-dirty';
  return { revision: `${commit ?? 'unknown'}${suffix}`, createdAt: new Date(Number(seconds) * 1000) };
}
