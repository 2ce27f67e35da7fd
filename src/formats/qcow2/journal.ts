import { crc32 } from 'node:zlib';
import { ProblemError } from '../../domain/problems.ts';
import type { StorageFile } from '../../ports/storage.ts';
import {
  decodePayload,
  encodeJournalHeader,
  encodePayload,
  frameRecord,
  isWholeJournalHeader,
  JOURNAL_HEADER_BYTES,
  type JournalHeader,
  type LeafRecord,
  MAX_PAYLOAD_BYTES,
  RECORD_HEAD_BYTES,
  recordCrc,
} from './journal-record.ts';

const READ_BYTES = 256 * 1024;

/** An append-only list of leaf records. What `append` returned from is there after a power cut. */
export class Journal {
  readonly #file: StorageFile;
  #endBytes: number;
  #crc: number;

  private constructor(file: StorageFile, endBytes: number, crc: number) {
    this.#file = file;
    this.#endBytes = endBytes;
    this.#crc = crc;
  }

  /**
   * Opens the journal of an earlier run and hands each of its records to `take`, in order; what was not written whole is cut off. A new or headless file becomes an
   * empty journal, and `isNew` says so.
   * @throws ProblemError `CheckpointUnusable` when it belongs to another disk, and the problems of the storage
   */
  static async open(
    file: StorageFile,
    header: JournalHeader,
    take: (record: LeafRecord) => void,
  ): Promise<{ journal: Journal; isNew: boolean }> {
    const expected = encodeJournalHeader(header);
    const found = Buffer.alloc(JOURNAL_HEADER_BYTES);
    const foundBytes = await file.read(0, found);
    const crc = crc32(expected);
    if (!isWholeJournalHeader(found.subarray(0, foundBytes))) {
      // The header is made durable before the first record, so nothing of what follows a torn one was ever relied on.
      await file.truncate(0);
      await file.write(0, expected);
      await file.sync();
      return { journal: new Journal(file, JOURNAL_HEADER_BYTES, crc), isNew: true };
    }
    if (!found.equals(expected)) {
      throw new ProblemError(
        'CheckpointUnusable',
        `${file.name} was begun for another size, compression or version than ${header.virtualSizeBytes} bytes, ${header.compression}`,
      );
    }
    const journal = new Journal(file, JOURNAL_HEADER_BYTES, crc);
    await journal.#replay(take);
    return { journal, isNew: false };
  }

  /** Durable when it returns. After a failure nothing was appended, and it may be tried again. */
  async append(records: Iterable<LeafRecord>): Promise<void> {
    let crc = this.#crc;
    let end = this.#endBytes;
    let parts: Buffer[] = [];
    let bytes = 0;
    for (const record of records) {
      const framed = frameRecord(encodePayload(record), crc);
      crc = framed.crc;
      parts.push(framed.bytes);
      bytes += framed.bytes.length;
      if (bytes < READ_BYTES) continue;
      await this.#file.write(end, Buffer.concat(parts));
      end += bytes;
      parts = [];
      bytes = 0;
    }
    if (bytes > 0) await this.#file.write(end, Buffer.concat(parts));
    end += bytes;
    if (end === this.#endBytes) return;
    await this.#file.sync();
    this.#endBytes = end;
    this.#crc = crc;
  }

  async #replay(take: (record: LeafRecord) => void): Promise<void> {
    let window = Buffer.alloc(0);
    let windowAt = this.#endBytes;
    while (true) {
      const at = this.#endBytes - windowAt;
      if (window.length - at < RECORD_HEAD_BYTES + MAX_PAYLOAD_BYTES) {
        const next = Buffer.alloc(READ_BYTES);
        const got = await this.#file.read(this.#endBytes, next);
        window = next.subarray(0, got);
        windowAt = this.#endBytes;
      }
      const record = this.#readRecord(window.subarray(this.#endBytes - windowAt));
      if (record === undefined) break;
      take(record);
    }
    await this.#file.truncate(this.#endBytes);
    // What a killed process left in the page cache was not durable yet, and from now on it is built upon.
    await this.#file.sync();
  }

  #readRecord(bytes: Buffer): LeafRecord | undefined {
    if (bytes.length < RECORD_HEAD_BYTES) return undefined;
    const payloadBytes = bytes.readUInt32LE(0);
    const end = RECORD_HEAD_BYTES + payloadBytes;
    if (payloadBytes > MAX_PAYLOAD_BYTES || end > bytes.length) return undefined;
    const payload = bytes.subarray(RECORD_HEAD_BYTES, end);
    const crc = recordCrc(bytes, payload, this.#crc);
    if (crc !== bytes.readUInt32LE(4)) return undefined;
    const record = decodePayload(payload);
    if (record === undefined) {
      throw new ProblemError('CheckpointUnusable', `${this.#file.name} has a strange record at byte ${this.#endBytes}`);
    }
    this.#endBytes += end;
    this.#crc = crc;
    return record;
  }
}
