import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** What this process holds open: files below `folder`, and everything else by kind (`socket`, `pipe`, `anon_inode`, `file`). */
export interface OpenDescriptors {
  readonly below: readonly string[];
  readonly sockets: number;
}

export function listDescriptors(folder: string): OpenDescriptors {
  const targets = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // Closed since the listing; the one that listed is among them.
    }
  });
  return {
    below: targets.filter((target) => target.startsWith(folder)).toSorted(),
    sockets: targets.filter((target) => target.startsWith('socket:')).length,
  };
}

/** The descriptors once they are what `isSettled` wants, or as they are after a second: a socket closes when its peer has answered. */
export async function settledDescriptors(
  folder: string,
  isSettled: (now: OpenDescriptors) => boolean,
): Promise<OpenDescriptors> {
  let now = listDescriptors(folder);
  for (let tries = 0; tries < 50 && !isSettled(now); tries += 1) {
    await delay(20);
    now = listDescriptors(folder);
  }
  return now;
}
