import { createHash } from 'node:crypto';
import { LEAF_BYTES } from '../domain/digest-layout.ts';
import type { DiskReport } from './import-report.ts';

/**
 * Says what is wrong with the digest in a report by the report alone: its sections do not cover the disk, or its root is not over them (docs/contracts/disk.md). Undefined when nothing is.
 */
export function findDigestProblem({ file, digest, virtualSizeBytes }: DiskReport): string | undefined {
  if (digest === undefined) return undefined;
  const { root, sectionBytes, sections } = digest;
  const leaves = sectionBytes / LEAF_BYTES;
  if (!Number.isInteger(Math.log2(leaves)) || leaves < 1) return `${file} has sections of ${sectionBytes} bytes`;
  const count = Math.ceil(virtualSizeBytes / sectionBytes);
  if (sections.length !== count) return `${file} has ${sections.length} sections; ${count} are needed`;
  return rootOf(sections) === root ? undefined : `the root of ${file} is not that of its sections`;
}

/** A node is the digest of the byte 01 and its two children; one without a right neighbour is handed up as it is. */
function rootOf(sections: readonly string[]): string | undefined {
  let nodes = sections;
  while (nodes.length > 1) {
    const above: string[] = [];
    for (let index = 0; index < nodes.length; index += 2) {
      const [left = '', right] = nodes.slice(index, index + 2);
      above.push(right === undefined ? left : nodeDigest(left, right));
    }
    nodes = above;
  }
  return nodes[0];
}

function nodeDigest(left: string, right: string): string {
  return createHash('sha256')
    .update(Uint8Array.of(1))
    .update(Buffer.from(left, 'hex'))
    .update(Buffer.from(right, 'hex'))
    .digest('hex');
}
