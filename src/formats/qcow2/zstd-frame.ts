const MAGIC = 0xfd2f_b528;
/** Bytes of the dictionary id, by the two low bits of the frame header descriptor. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
/** Bytes of the content size, by the two high bits; the first is 1 in a single-segment frame. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

/**
 * Length of the zstd frame that `bytes` begin with (RFC 8878, section 3.1.1), found by walking its block headers without decompressing.
 * @throws RangeError when there is no whole frame, or one that needs a dictionary
 */
export function zstdFrameBytes(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) throw new RangeError('no zstd frame');
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryIdBytes = DICTIONARY_ID_BYTES[descriptor & 3] ?? 0;
  if (dictionaryIdBytes > 0) throw new RangeError('zstd frame needs a dictionary');
  const contentSizeBytes = CONTENT_SIZE_BYTES[descriptor >>> 6] || (isSingleSegment ? 1 : 0);
  let at = 5 + (isSingleSegment ? 0 : 1) + contentSizeBytes;
  while (true) {
    const blockHeader = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const type = (blockHeader >>> 1) & 3;
    if (type === 3) throw new RangeError('reserved zstd block type');
    // A run-length block is one byte, whatever length it stands for.
    at += 3 + (type === 1 ? 1 : blockHeader >>> 3);
    if ((blockHeader & 1) === 1) break;
  }
  if ((descriptor & 4) !== 0) at += 4;
  if (at > bytes.length) throw new RangeError(`zstd frame of ${at} bytes in ${bytes.length}`);
  return at;
}
