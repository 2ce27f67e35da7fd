import type { Clock } from '../ports/clock.ts';
import type { FetchWindow } from './fetch-ranges.ts';
import { fetchWindow } from './range-window.ts';
import { RequestSlots } from './request-slots.ts';
import type { SlabPool } from './slab-pool.ts';

export interface FetchWindowParts {
  readonly clock: Clock;
  /** Memory for what is fetched, of all disks. */
  readonly pool: SlabPool;
  /** Most connections to one server; 16 unless told. */
  readonly connections?: number | undefined;
}

/** What every file server stands; each doubling from fewer costs a third of a second, in which a small disk would be through. */
const FIRST_DEPTH = 6;

/** The window that all disks of a process fetch through: one budget of memory, and for each server one number of requests that is tuned by what they bring. */
export function createFetchWindow({ clock, pool, connections }: FetchWindowParts): FetchWindow {
  const servers = new Map<string, RequestSlots>();
  return (ranges, { files, rateLimiter, ...options }) => {
    const server = files[0]?.server ?? 'this machine';
    const slots =
      servers.get(server) ?? new RequestSlots({ clock, maxConnections: connections, firstDepth: FIRST_DEPTH });
    servers.set(server, slots);
    return fetchWindow(ranges, { ...options, files, limiter: rateLimiter, pool, slots, clock });
  };
}
