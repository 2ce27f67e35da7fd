import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { EndpointClient } from './endpoint-client.ts';

/** What others make of a disk is of one content, whichever runs hand it out: the first one leaves with the controller which. */
export async function noteContent(client: EndpointClient, reader: DiskReader, options: CallOptions): Promise<void> {
  await client.saveCheckpoint(encode(reader), 0, options);
}

/** @throws ProblemError `SourceChanged` when an earlier run noted another content; notes this one where none has */
export async function refuseOtherContent(
  client: EndpointClient,
  reader: DiskReader,
  options: CallOptions,
): Promise<void> {
  const stored = await client.loadCheckpoint(options);
  if (stored === undefined) return await noteContent(client, reader, options);
  if (encode(reader).equals(stored)) return;
  throw new ProblemError(
    'SourceChanged',
    'the disk on its source is not what it was when an earlier run handed it out',
  );
}

/** @throws ProblemError `SourceChanged` */
export async function refuseChangedSource(reader: DiskReader, options: CallOptions): Promise<void> {
  if ((await reader.readContentId(options)) === reader.contentId) return;
  throw new ProblemError('SourceChanged', 'the disk changed on its source while it was handed out');
}

function encode({ contentId }: DiskReader): Buffer {
  return Buffer.from(JSON.stringify({ version: 1, contentId }));
}
