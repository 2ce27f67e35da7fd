import { createHash } from 'node:crypto';
import type { Component } from './component.ts';
import type { ImageFacts } from './image-config.ts';
import type { PlatformImage } from './oci-layout.ts';

/** SPDX's short names; anything else is a name in CycloneDX's terms. Those that occur here, so that a new one is looked at. */
const SPDX_IDS = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'BlueOak-1.0.0',
  'Unlicense',
]);

/**
 * What the image of one platform is made of, as CycloneDX 1.6. It holds no more of time and chance than the image: the same image has the same bill, and its serial number is made of
 * the image's digest.
 */
export function billOfMaterials(
  facts: ImageFacts,
  name: string,
  image: PlatformImage,
  components: readonly Component[],
): object {
  const { manifest, platform } = image;
  const ref = `image:${manifest.digest}`;
  const repository = name.slice(0, name.lastIndexOf(':'));
  const query = new URLSearchParams({ arch: platform.architecture, repository_url: repository, tag: facts.version });
  const subject = {
    type: 'container',
    'bom-ref': ref,
    name: repository,
    version: facts.version,
    purl: `pkg:oci/airlift@${encodeURIComponent(manifest.digest)}?${query}`,
    hashes: [{ alg: 'SHA-256', content: manifest.digest.slice('sha256:'.length) }],
    licenses: licenses([facts.license]),
  };
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(manifest.digest)}`,
    version: 1,
    metadata: { timestamp: facts.createdAt.toISOString(), component: subject },
    components: components.map(toCycloneDx),
    dependencies: [
      { ref, dependsOn: components.map(({ purl }) => purl) },
      ...components.map(({ purl }) => ({ ref: purl })),
    ],
  };
}

function toCycloneDx(component: Component): object {
  const { kind, name, version, purl, digest, cpe, parts } = component;
  return {
    type: kind,
    'bom-ref': purl,
    name,
    version,
    purl,
    ...(cpe && { cpe }),
    ...(digest && { hashes: [{ alg: digest.algorithm, content: digest.value }] }),
    ...(component.licenses.length > 0 && { licenses: licenses(component.licenses) }),
    ...(parts && { components: parts.map(toCycloneDx) }),
  };
}

function licenses(names: readonly string[]): readonly object[] {
  return names.map((name) => ({ license: SPDX_IDS.has(name) ? { id: name } : { name } }));
}

/** A UUID of RFC 9562, version 8, from a digest. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
