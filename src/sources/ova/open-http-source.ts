import type { Finding } from '../../domain/finding.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { HEAD_BYTES } from '../../ports/image-file.ts';
import type { Source } from '../../ports/source.ts';
import type { ApplianceFiles } from './appliance-files.ts';
import { ForwardArchive } from './forward-archive.ts';
import { HttpConnection } from './http-connection.ts';
import { HttpFile } from './http-file.ts';
import { HttpFolder } from './http-folder.ts';
import type { HttpForwardFile } from './http-forward-file.ts';
import { type HttpLocation, parseHttpLocation } from './http-location.ts';
import { kindOfFile, makeSource, type Opened, type OpenOvaSourceOptions } from './make-source.ts';
import { openHttpFile } from './open-http-file.ts';
import { RangedArchive } from './ranged-archive.ts';

/** Opens what lies at an http(s) address. The source holds the connections; disposing it closes them. */
export async function openHttpSource(options: OpenOvaSourceOptions): Promise<Source> {
  const location = parseHttpLocation(options.location);
  const { clock, random = Math.random, tries, excuse, signal } = options;
  const connection = new HttpConnection(location, options);
  const openFile = async (url: URL, call: CallOptions) =>
    await openHttpFile(connection, url, { ...call, backoff: { clock, random, tries, excuse } });
  try {
    const file = await openFile(location.url, { signal });
    const opened = await openContent(location, file, openFile, { signal });
    const findings = findingsOf(location, opened.files, options);
    return makeSource(opened, location.shown, options, { findings, connection });
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

async function openContent(
  { url }: HttpLocation,
  file: HttpFile | HttpForwardFile,
  openFile: (url: URL, call: CallOptions) => Promise<HttpFile | HttpForwardFile>,
  call: CallOptions,
): Promise<Opened> {
  const name = fileNameOf(url);
  const isRanged = file instanceof HttpFile;
  const head = isRanged ? await file.read(0, Math.min(HEAD_BYTES, file.sizeBytes), call) : await file.readHead(call);
  const kind = kindOfFile(name, head);
  if (kind === 'archive') {
    const files = isRanged ? new RangedArchive(file, { hasProof: file.hasProof }) : new ForwardArchive(file);
    return { kind: 'appliance', files };
  }
  const openSibling = async (path: string, options: CallOptions) =>
    await openFile(new URL(path.split('/').map(encodeURIComponent).join('/'), url), options);
  const files = new HttpFolder(name, file, openSibling);
  return kind === 'disk' ? { kind, files, fileName: name } : { kind: 'appliance', files };
}

function findingsOf(
  { url, shown }: HttpLocation,
  files: ApplianceFiles,
  { insecure }: OpenOvaSourceOptions,
): Finding[] {
  const findings: Finding[] = [];
  if (insecure && url.protocol === 'https:') {
    const message = `Nothing proves that ${shown} is the server it should be.`;
    findings.push({ severity: 'warning', code: 'SourceTlsUnverified', message });
  }
  if (!files.hasProof) {
    const message = `${shown} comes without ETag and modification time: an interrupted import cannot be continued.`;
    findings.push({ severity: 'warning', code: 'SourceUnproven', message });
  }
  return findings;
}

function fileNameOf(url: URL): string {
  const last = url.pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last) || 'index';
  } catch {
    return last; // a stray % that was meant as such
  }
}
