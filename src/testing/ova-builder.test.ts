import { describe, expect, it } from 'vitest';
import { parseManifest } from '../formats/ova/manifest.ts';
import { parseOvf } from '../formats/ova/ovf.ts';
import { checkSignature } from '../formats/ova/signature.ts';
import { listTarMembers } from '../formats/ova/tar.ts';
import { buildCertificate, signManifest } from './certificate-builder.ts';
import { collect } from './collect.ts';
import { MemoryImageFile } from './memory-image-file.ts';
import { buildOva, buildOvaFiles, type OvaSpec } from './ova-builder.ts';

const ca = buildCertificate({ name: 'CA', isCa: true });
const signer = buildCertificate({ name: 'Signer', issuer: ca });
const spec: OvaSpec = {
  name: 'app',
  machines: [
    {
      id: 'vm',
      name: 'My VM',
      cpus: 4,
      coresPerSocket: 2,
      memoryMiB: 1024,
      firmware: 'efi',
      isSecureBoot: true,
      annotation: 'a & b',
      disks: [
        { fileName: 'one.vmdk', capacityBytes: 2 ** 30, chunkBytes: 400 },
        { fileName: 'two.vmdk.gz', capacityBytes: 2 ** 20, compression: 'gzip', controller: 'sata' },
      ],
      nics: [{ network: 'LAN', macAddress: '00:50:56:00:00:01' }],
    },
  ],
  contents: { 'one.vmdk': new Uint8Array(1000).fill(1), 'two.vmdk.gz': new Uint8Array(1000) },
  manifest: 'sha256',
  sign: (manifest, name) => signManifest(manifest, name, signer),
};

describe('buildOva', () => {
  it('gives an archive that our readers understand as it was meant', async () => {
    const archive = buildOva(spec);
    const members = await collect(listTarMembers(new MemoryImageFile(archive)));
    expect(members.map((member) => member.name)).toEqual([
      'app.ovf',
      'app.mf',
      'app.cert',
      'one.vmdk.000000000',
      'one.vmdk.000000001',
      'one.vmdk.000000002',
      'two.vmdk.gz',
    ]);
    const content = (name: string) => {
      const member = members.find((candidate) => candidate.name === name);
      return archive.subarray(member?.offset, (member?.offset ?? 0) + (member?.sizeBytes ?? 0));
    };
    const ovf = parseOvf(content('app.ovf'), { name: 'app.ovf' });
    expect(ovf.files[0]).toEqual({ id: 'one.vmdk', href: 'one.vmdk', sizeBytes: 1000, chunkBytes: 400 });
    expect(ovf.files[1]).toMatchObject({ href: 'two.vmdk.gz', compression: 'gzip' });
    expect(ovf.machines[0]?.machine).toMatchObject({
      name: 'My VM',
      cpu: { sockets: 2, coresPerSocket: 2 },
      memoryBytes: 2 ** 30,
      firmware: 'efi',
      isSecureBoot: true,
      annotation: 'a & b',
      disks: [{ fileName: 'two.vmdk.gz' }, { fileName: 'one.vmdk' }],
      nics: [{ network: 'LAN', macAddress: '00:50:56:00:00:01' }],
    });
    const manifest = parseManifest(content('app.mf'));
    expect([...manifest.entries.keys()]).toEqual(
      members.map(({ name }) => name).filter((name) => !/mf|cert/.test(name)),
    );
    const trust = { manifestName: 'app.mf', trustedCas: [ca.pem], now: new Date('2026-01-01') };
    expect(checkSignature(content('app.cert'), content('app.mf'), trust).status).toBe('trusted');
  });

  it('orders, omits and spoils as told', () => {
    const files = buildOvaFiles({
      ...spec,
      contents: { 'one.vmdk': new Uint8Array(10) },
      order: ['one.vmdk.000000000', 'app.mf'],
      wrongDigests: ['app.ovf'],
      unlisted: ['one.vmdk.000000000'],
    });
    expect(files.map((file) => file.name)).toEqual(['one.vmdk.000000000', 'app.mf', 'app.ovf', 'app.cert']);
    expect(Buffer.from(files[1]?.bytes ?? []).toString()).toMatch(/^SHA256\(app\.ovf\)= [0-9a-f]{64}\n$/);
  });
});
