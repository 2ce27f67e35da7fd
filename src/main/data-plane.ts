import { decodePiece } from '../formats/decode-piece.ts';
import type { Clock } from '../ports/clock.ts';
import type { DataPlane } from '../ports/transfer.ts';
import { loadLibcryptoHashes } from '../transfer/libcrypto-hashes.ts';
import { measureRead } from '../transfer/measure-read.ts';
import { type HashFactory, nodeHashes } from '../transfer/stored-digest.ts';
import { transferDisk } from '../transfer/transfer-disk.ts';
import { compareDisk } from '../transfer/verify-disk.ts';

/** Chosen once a process: libcrypto where the system has it, so that manifest digests continue after an interruption. */
export const hashes: HashFactory = loadLibcryptoHashes() ?? nodeHashes;

export function createDataPlane(clock: Clock): DataPlane {
  const parts = { decode: decodePiece, hashes, clock };
  return {
    transferDisk: (reader, options) => transferDisk(parts, reader, options),
    measureRead: (reader, options) => measureRead(parts, reader, options),
    compareDisk,
  };
}
