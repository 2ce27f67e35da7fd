import { type FileHandle, open } from 'node:fs/promises';
import type { CallOptions } from '../lib/call-options.ts';

/*
 * What fetches a VirtualMachineImage from its URL, as far as the server of the URL sees it: read off Harvester 1.8.0 (pkg/image), Longhorn's backing-image-manager (pkg/sync/handler.go) and CDI 1.64
 * (pkg/importer/http-datasource.go, pkg/image/nbdkit.go). None of them trusts a certificate of a cluster's own, all of them follow redirects.
 */

export interface Downloaded {
  /** Content-Length of the answer to HEAD. */
  readonly sizeBytes: number;
  /** What the file says of itself; its length where it is no qcow2. */
  readonly virtualSizeBytes: number;
  /** Requests that were made, in order: method and Range. */
  readonly requests: readonly string[];
}

export interface DownloadOptions extends CallOptions {
  /** Whole downloads, or, by CDI, requests for a range, before it gives up. */
  readonly tries?: number;
  /** How long nothing may come; Longhorn's was 4 s up to 1.9.1. */
  readonly idleMs?: number;
  /** Of one ranged request of CDI. */
  readonly rangeBytes?: number;
  readonly onBytes?: (doneBytes: number) => void;
}

/** Harvester asks with HEAD whether the URL is there; Longhorn asks again for the length, and gets the whole file. A download that breaks off begins anew. */
export async function downloadAsLonghorn(
  url: string,
  path: string,
  options: DownloadOptions = {},
): Promise<Downloaded> {
  const { tries = 4 } = options;
  const requests: string[] = [];
  for (let attempt = 1; ; attempt += 1) {
    try {
      requests.push('HEAD', 'HEAD');
      await expectHead(url, options);
      const sizeBytes = await expectHead(url, options);
      requests.push('GET');
      await using file = await open(path, 'w+');
      await copyWhole(url, file, sizeBytes, options);
      return { sizeBytes, virtualSizeBytes: await virtualSizeOf(file, sizeBytes), requests };
    } catch (error) {
      if (attempt >= tries || options.signal?.aborted) throw error;
    }
  }
}

/**
 * Harvester asks for the first 128 bytes, whatever the status of the answer, and the length; CDI asks for the length again, and opens the file. Then QEMU reads ranges through nbdkit, each tried
 * again where it fails; or, from a server that takes none, the whole file goes into scratch space.
 */
export async function downloadAsCdi(url: string, path: string, options: DownloadOptions = {}): Promise<Downloaded> {
  const { rangeBytes = 256 * 1024, tries = 5, onBytes } = options;
  const requests = ['GET bytes=0-127', 'HEAD', 'HEAD', 'GET'];
  await expectFirstBytes(url, options);
  const sizeBytes = await expectHead(url, options);
  await expectHead(url, options);
  const opened = await fetch(url, { signal: options.signal ?? null });
  if (opened.status !== 200) throw new Error(`expected status code 200, got ${opened.status}`);
  await opened.body?.cancel();
  await using file = await open(path, 'w+');
  if (opened.headers.get('accept-ranges') !== 'bytes') {
    await copyWhole(url, file, sizeBytes, { idleMs: 600_000, ...options });
    return { sizeBytes, virtualSizeBytes: await virtualSizeOf(file, sizeBytes), requests };
  }
  const ranges = Array.from({ length: Math.ceil(sizeBytes / rangeBytes) }, (_, at) => at * rangeBytes);
  let done = 0;
  const work = async () => {
    for (let from = ranges.shift(); from !== undefined; from = ranges.shift()) {
      const to = Math.min(from + rangeBytes, sizeBytes);
      requests.push(`GET bytes=${from}-${to - 1}`);
      const bytes = await retried(tries, () => readRange(url, from ?? 0, to, options));
      await file.write(bytes, 0, bytes.length, from);
      done += bytes.length;
      onBytes?.(done);
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
  return { sizeBytes, virtualSizeBytes: await virtualSizeOf(file, sizeBytes), requests };
}

async function expectFirstBytes(url: string, { signal }: CallOptions): Promise<void> {
  const answer = await fetch(url, { headers: { range: 'bytes=0-127' }, signal: signal ?? null });
  let length = 0;
  for await (const piece of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length >= 128) break;
  }
  if (length < 128) throw new Error('content length is less than 128 bytes');
}

async function expectHead(url: string, { signal }: CallOptions): Promise<number> {
  const answer = await fetch(url, { method: 'HEAD', signal: signal ?? null });
  if (answer.status !== 200) throw new Error(`expected status code 200 from ${url}, got ${answer.status}`);
  const length = answer.headers.get('content-length');
  if (length === null) throw new Error('Content-Length is not found in the header');
  return Number(length);
}

async function copyWhole(url: string, file: FileHandle, sizeBytes: number, options: DownloadOptions): Promise<void> {
  const { idleMs = 4_000, onBytes, signal } = options;
  const idle = new AbortController();
  const signals = [idle.signal, ...(signal === undefined ? [] : [signal])];
  const answer = await fetch(url, { signal: AbortSignal.any(signals) });
  if (answer.status !== 200) throw new Error(`expected status code 200 from ${url}, got ${answer.status}`);
  let done = 0;
  let timer = setTimeout(() => idle.abort(new Error('context cancelled during the copy')), idleMs);
  try {
    for await (const piece of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      timer = setTimeout(() => idle.abort(new Error('context cancelled during the copy')), idleMs);
      if (piece.some((byte) => byte !== 0)) await file.write(piece, 0, piece.length, done);
      done += piece.length;
      onBytes?.(done);
    }
  } finally {
    clearTimeout(timer);
  }
  if (done !== sizeBytes)
    throw new Error(`processed data size ${done} does not match the expected file size ${sizeBytes}`);
  if (done % 512 !== 0)
    throw new Error(`the file size ${done} should be a multiple of 512 bytes since Longhorn uses directIO`);
  await file.truncate(done);
}

async function readRange(url: string, from: number, to: number, { signal }: CallOptions): Promise<Buffer> {
  const answer = await fetch(url, { headers: { range: `bytes=${from}-${to - 1}` }, signal: signal ?? null });
  if (answer.status !== 206) throw new Error(`expected status code 206, got ${answer.status}`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (bytes.length !== to - from) throw new Error(`asked for ${to - from} bytes, got ${bytes.length}`);
  return bytes;
}

async function retried<T>(tries: number, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= tries) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function virtualSizeOf(file: FileHandle, sizeBytes: number): Promise<number> {
  const head = Buffer.alloc(32);
  await file.read(head, 0, 32, 0);
  return head.toString('latin1', 0, 4) === 'QFI\u00fb' ? Number(head.readBigUInt64BE(24)) : sizeBytes;
}
