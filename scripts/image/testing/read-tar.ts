import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, type Header } from 'tar-stream';

export interface TarMember {
  readonly header: Header;
  readonly content: Buffer;
}

/** Every member of a tar archive, by name. */
export async function readTar(bytes: Uint8Array): Promise<ReadonlyMap<string, TarMember>> {
  const members = extract();
  Readable.from([bytes]).pipe(members);
  const found = new Map<string, TarMember>();
  for await (const member of members)
    found.set(member.header.name, { header: member.header, content: await buffer(member) });
  return found;
}
