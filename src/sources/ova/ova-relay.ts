import { ProblemError } from '../../domain/problems.ts';
import { hrefNames } from '../../formats/ova/member-name.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { HEAD_BYTES } from '../../ports/image-file.ts';
import type { RelayAnswer, RelayConditions, SourceRelay } from '../../ports/source-relay.ts';
import { HttpConnection, type HttpConnectionOptions } from './http-connection.ts';
import { type HttpLocation, parseHttpLocation } from './http-location.ts';
import { headerOf } from './http-problems.ts';
import { kindOfFile } from './make-source.ts';

export interface OvaRelayOptions extends HttpConnectionOptions {
  /** An http(s) address of an .ova, an .ovf or a disk image. */
  readonly location: string;
}

/** All that our own reader of files looks at (http-validators.ts). */
const PASSED_ON = ['content-length', 'content-range', 'etag', 'last-modified', 'accept-ranges', 'retry-after'];

/** Passes on what lies at an http(s) address, by the rules of the OVA source: the same redirects, the same certificates, the same problems. Asks for nothing before it is asked. */
export function createOvaRelay(options: OvaRelayOptions): SourceRelay {
  return new OvaRelay(parseHttpLocation(options.location), options);
}

class OvaRelay implements SourceRelay {
  readonly path: string;
  readonly location: string;
  readonly #url: URL;
  readonly #connection: HttpConnection;
  #hasSiblings: Promise<boolean> | undefined;

  constructor(location: HttpLocation, options: HttpConnectionOptions) {
    this.location = location.shown;
    this.#url = location.url;
    this.#connection = new HttpConnection(location, options);
    this.path = decode(location.url.pathname.split('/').at(-1) ?? '') || 'index';
  }

  async get(path: string, { range, ifRange }: RelayConditions, options: CallOptions = {}): Promise<RelayAnswer> {
    const url = await this.#urlOf(path, options);
    const headers = {
      ...(range === undefined ? {} : { range }),
      ...(ifRange === undefined ? {} : { 'if-range': ifRange }),
    };
    const answer = await this.#connection.get(url, headers, options);
    return {
      status: answer.status,
      headers: Object.fromEntries(
        PASSED_ON.flatMap((name) => {
          const value = headerOf(answer.headers, name);
          return value === undefined ? [] : [[name, value]];
        }),
      ),
      pieces: () => answer.pieces(),
      close: () => answer.close(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  /** The account may reach the whole server; this transfer reads one appliance: an archive is one file, a descriptor or a disk may name others in its folder. */
  async #urlOf(path: string, options: CallOptions): Promise<URL> {
    if (path === this.path) return this.#url;
    const [sibling = ''] = hrefNames(path);
    // A failed look is not remembered: the next one may succeed.
    this.#hasSiblings ??= this.#look(options).catch((error: unknown) => {
      this.#hasSiblings = undefined;
      throw error;
    });
    if (!(await this.#hasSiblings)) {
      throw new ProblemError(
        'SourceForbidden',
        `${this.location} is one file; nothing beside it belongs to the import`,
      );
    }
    return new URL(sibling.split('/').map(encodeURIComponent).join('/'), this.#url);
  }

  async #look(options: CallOptions): Promise<boolean> {
    if (/\.ovf$/i.test(this.path)) return true;
    const answer = await this.#connection.get(this.#url, { range: `bytes=0-${HEAD_BYTES - 1}` }, options);
    try {
      const pieces: Uint8Array[] = [];
      let length = 0;
      for await (const piece of answer.pieces()) {
        pieces.push(piece);
        length += piece.length;
        if (length >= HEAD_BYTES) break;
      }
      return kindOfFile(this.path, Buffer.concat(pieces).subarray(0, HEAD_BYTES)) !== 'archive';
    } finally {
      answer.close();
    }
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a stray % that was meant as such
  }
}
