import { expect, test } from 'vitest';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { EndpointClient } from './endpoint-client.ts';
import { noteContent, refuseChangedSource, refuseOtherContent } from './same-content.ts';

function begin() {
  const source = { contentId: 'one' };
  const kept: { note?: Uint8Array | undefined; doneBytes?: number } = {};
  const client = {
    loadCheckpoint: async () => kept.note,
    saveCheckpoint: async (bytes: Uint8Array, doneBytes: number) => {
      kept.note = bytes;
      kept.doneBytes = doneBytes;
    },
  } as unknown as EndpointClient;
  /** As it was opened. */
  const open = () => ({ contentId: source.contentId, readContentId: async () => source.contentId }) as DiskReader;
  return { source, kept, client, open };
}

test('the first run notes what it hands out, and vouches for no byte of it', async () => {
  const { client, open, kept } = begin();
  await refuseOtherContent(client, open(), {});
  expect(kept.note).toBeDefined();
  expect(kept.doneBytes).toBe(0);
  await refuseOtherContent(client, open(), {});
});

test('another content than that of an earlier run is refused, and the note stays', async () => {
  const { client, open, source, kept } = begin();
  await refuseOtherContent(client, open(), {});
  const { note } = kept;
  source.contentId = 'two';
  await expect(refuseOtherContent(client, open(), {})).rejects.toMatchObject({ code: 'SourceChanged' });
  expect(kept.note).toBe(note);
});

test('a note that cannot be read is another content', async () => {
  const { client, open, kept } = begin();
  kept.note = Buffer.from('{"vers');
  await expect(refuseOtherContent(client, open(), {})).rejects.toMatchObject({ code: 'SourceChanged' });
});

test('whoever begins from the first byte notes its own content', async () => {
  const { client, open, source } = begin();
  await refuseOtherContent(client, open(), {});
  source.contentId = 'two';
  await noteContent(client, open(), {});
  await refuseOtherContent(client, open(), {});
});

test('a source that changed since it was opened is refused', async () => {
  const { open, source } = begin();
  const reader = open();
  await refuseChangedSource(reader, {});
  source.contentId = 'two';
  await expect(refuseChangedSource(reader, {})).rejects.toMatchObject({ code: 'SourceChanged' });
});
