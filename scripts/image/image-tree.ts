/** A file too large to be held in memory. */
export interface FileOnDisk {
  readonly path: string;
  readonly sizeBytes: number;
}

export type ImageEntry =
  | { readonly type: 'folder'; readonly mode: number; readonly ownerId: number }
  | { readonly type: 'file'; readonly mode: number; readonly content: Uint8Array | FileOnDisk }
  | { readonly type: 'link'; readonly to: string };

/** The files of one layer. Paths are relative to the root, without a leading slash. A folder above a file comes by itself. */
export class ImageTree {
  readonly #entries = new Map<string, ImageEntry>();

  addFile(path: string, content: Uint8Array | FileOnDisk | string, options: { readonly mode?: number } = {}): void {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    this.#add(path, { type: 'file', mode: options.mode ?? 0o644, content: bytes });
  }

  addFolder(path: string, options: { readonly mode?: number; readonly ownerId?: number } = {}): void {
    const before = this.#entries.get(path);
    if (before?.type === 'folder') return;
    this.#add(path, { type: 'folder', mode: options.mode ?? 0o755, ownerId: options.ownerId ?? 0 });
  }

  addLink(path: string, to: string): void {
    this.#add(path, { type: 'link', to });
  }

  get(path: string): ImageEntry | undefined {
    return this.#entries.get(path);
  }

  /** Sorted, so that the same files make the same layer; a folder comes before what is in it. */
  entries(): readonly (readonly [path: string, entry: ImageEntry])[] {
    return [...this.#entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
  }

  #add(path: string, entry: ImageEntry): void {
    if (path === '' || path.startsWith('/') || path.split('/').some((part) => ['', '.', '..'].includes(part))) {
      throw new Error(`not a path below the root: "${path}"`);
    }
    if (this.#entries.has(path)) throw new Error(`two entries for ${path}`);
    const cut = path.lastIndexOf('/');
    if (cut > 0) this.addFolder(path.slice(0, cut));
    this.#entries.set(path, entry);
  }
}

export function contentSizeBytes(content: Uint8Array | FileOnDisk): number {
  return content instanceof Uint8Array ? content.length : content.sizeBytes;
}
