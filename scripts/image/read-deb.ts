import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { ImageError } from './image-error.ts';
import { outputOf, type RunProgram } from './run-program.ts';

export interface DebMember {
  /** Relative to the root, without a leading `./` or slash. */
  readonly path: string;
  readonly type: 'file' | 'link';
  readonly mode: number;
  readonly content: Buffer;
  /** Where a link leads. */
  readonly to: string;
}

/**
 * Files and links of a package that `keeps` wants, in its order. dpkg-deb unpacks: it is on every Debian machine, knows each compression that packages have had, and runs no script of
 * the package. Memory: one file.
 */
export async function* readDeb(path: string, keeps: (path: string) => boolean): AsyncGenerator<DebMember, void> {
  const unpacking = spawn('dpkg-deb', ['--fsys-tarfile', path], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(unpacking, 'close');
  const complaint = text(unpacking.stderr);
  const members = extract();
  const fed = pipeline(unpacking.stdout, members);
  // Awaited below; until then a failure shows in the loop, whose stream it ends.
  fed.catch(() => {});
  try {
    for await (const member of members) {
      const found = await readMember(member);
      if (found !== undefined && keeps(found.path)) yield found;
    }
    await fed;
  } catch (cause) {
    throw new ImageError(`cannot unpack ${path}: ${(await complaint).trim()}`, { cause });
  } finally {
    unpacking.kill();
  }
  const [status] = await ended;
  if (status !== 0) throw new ImageError(`dpkg-deb cannot unpack ${path}: ${(await complaint).trim()}`);
}

/** Undefined for a folder, which comes by itself with what is in it. */
async function readMember(
  member: AsyncIterable<unknown> & { readonly header: Header },
): Promise<DebMember | undefined> {
  const pieces: Buffer[] = [];
  for await (const piece of member) pieces.push(piece as Buffer);
  const { name, type, mode = 0o644, linkname } = member.header;
  const path = name.replace(/^(\.?\/)+/, '');
  if (type === 'directory') return undefined;
  if (type === 'symlink') return { path, type: 'link', mode, content: Buffer.alloc(0), to: linkname ?? '' };
  if (type === 'file') return { path, type: 'file', mode, content: Buffer.concat(pieces), to: '' };
  throw new Error(`${path} is a ${type}, which the image has no place for`);
}

/** The package's description of itself, in Debian's control format. */
export function readDebControl(path: string, run: RunProgram): Promise<string> {
  return outputOf(run, 'dpkg-deb', ['--field', path]);
}
