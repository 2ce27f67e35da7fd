import { timingSafeEqual } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { Pod } from '../api/core-kinds.ts';
import type { FindImage } from './endpoint/image-endpoint.ts';
import type { ImportSummary } from './machine-import/import-summary.ts';
import type { ImportParts } from './machine-import/import-world.ts';
import { parseTransferId } from './machine-import/names.ts';
import { ownerOf } from './machine-import/objects/owner.ts';
import { IMAGE_PORT } from './machine-import/objects/transfer-job.ts';
import { diskOf, epochOf, mayWrite } from './machine-import/observe/observe-transfer.ts';

export interface FindImageOptions {
  readonly parts: Pick<ImportParts, 'transfers' | 'objects' | 'live'>;
  readonly importOf: (uid: string) => ImportSummary | undefined;
  readonly isSynced: () => boolean;
}

/** Finds the worker that serves an image, for whoever knows the image's token. */
export function findImageBy({ parts, importOf, isSynced }: FindImageOptions): FindImage {
  return async ({ transferId, token, fileName }, options = {}) => {
    const place = parse(transferId);
    if (place === undefined) return undefined;
    const summary = importOf(place.importUid);
    // A controller that has just started does not know all imports.
    if (summary === undefined) return isSynced() ? undefined : 'later';
    const { namespace, name, uid } = summary;
    const owner = ownerOf({ metadata: { name, uid } });
    const { state } = await parts.transfers.read({ namespace, owner, disk: place.disk }, options);
    if (state.imageToken === undefined || !isEqual(token, state.imageToken)) return undefined;
    // What a worker said last may be a moment old; whoever comes in that moment comes again.
    const isServed = state.stage === 'serve' && parts.live.get(transferId)?.phase === 'serve';
    const isIt = (each: Pod) => diskOf(each) === place.disk && epochOf(each) === state.epoch && mayWrite(each);
    const address = isServed ? parts.objects.pods(uid).find(isIt)?.status?.podIP : undefined;
    if (address === undefined || address === '') return 'later';
    const host = isIPv6(address) ? `[${address}]` : address;
    return { url: `http://${host}:${IMAGE_PORT}/${state.imageToken}/${fileName}` };
  };
}

function parse(transferId: string): ReturnType<typeof parseTransferId> | undefined {
  try {
    return parseTransferId(decodeURIComponent(transferId));
  } catch {
    return undefined; // no id of ours
  }
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
