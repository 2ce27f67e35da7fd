import { describe, expect, it } from 'vitest';
import { buildCertificate, signManifest } from '../../testing/certificate-builder.ts';
import { collect } from '../../testing/collect.ts';
import { fuzz } from '../../testing/fuzz.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { buildTar } from '../../testing/ova-tar.ts';
import { esxi, ovirt, virtualBox1, virtualBox2 } from '../../testing/ovf-samples.ts';
import { ByteReader } from '../byte-reader.ts';
import { parseManifest } from './manifest.ts';
import { parseOvf } from './ovf.ts';
import { checkSignature } from './signature.ts';
import { listTarMembers, readTarMembers, type TarMember } from './tar.ts';

const expectMostCasesRefused = (result: { cases: number; accepted: number }) => {
  expect(result.accepted).toBeLessThan(result.cases);
  console.info(JSON.stringify(result));
};

describe('fuzz: OVF', () => {
  it('descriptors are read or refused', { timeout: 700_000 }, async () => {
    const texts = [esxi, virtualBox1, virtualBox2, ovirt];
    const seeds = [...texts.map((text) => Buffer.from(text)), Buffer.from(`\uFEFF${virtualBox1}`, 'utf16le')];
    const run = (input: Uint8Array) => parseOvf(input, { name: 'x.ovf' });
    expectMostCasesRefused(await fuzz('OVF', { seeds, run, caseMs: 2000 }));
  });

  /** Damaged bytes seldom remain XML; here whole values and elements change places. */
  it('well-formed descriptors with values swapped are read or refused', { timeout: 700_000 }, async () => {
    const words = [esxi, virtualBox2].flatMap((text) => text.match(/"[^"<>]*"|>[^<>]+</g) ?? []);
    words.push(
      '"18446744073709551616"',
      '>18446744073709551615<',
      '"$' + '{x}"',
      '>byte * 2^63<',
      '>-1<',
      '"../x"',
      '>17<',
      '>3<',
    );
    const seeds = [Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7))];
    const run = (input: Uint8Array) => {
      let text = [esxi, virtualBox2, ovirt][(input[0] ?? 0) % 3] ?? esxi;
      for (let index = 1; index + 2 < input.length; index += 3) {
        const word = words[((input[index] ?? 0) * 256 + (input[index + 1] ?? 0)) % words.length] ?? '';
        const places = [...text.matchAll(word.startsWith('"') ? /="[^"<>]*"/g : />[^<>\s][^<>]*</g)];
        const place = places[((input[index + 2] ?? 0) * 31 + index) % Math.max(1, places.length)];
        if (!place) continue;
        const from = place.index + (word.startsWith('"') ? 1 : 0);
        text = `${text.slice(0, from)}${word}${text.slice(place.index + place[0].length)}`;
      }
      return parseOvf(text, { name: 'x.ovf' });
    };
    expectMostCasesRefused(await fuzz('OVF values', { seeds, run, caseMs: 2000 }));
  });
});

describe('fuzz: tar', () => {
  it('archives are walked or refused, both ways alike', { timeout: 700_000 }, async () => {
    const entries = [
      { name: 'a.ovf', bytes: Buffer.from('x'.repeat(600)) },
      { name: `${'long/'.repeat(30)}b.vmdk`, bytes: new Uint8Array(1500) },
      { name: 'c.mf', bytes: new Uint8Array(0) },
    ];
    const seeds = (['ustar', 'pax', 'gnu'] as const).map((format) =>
      buildTar(
        entries.map((entry) => ({ ...entry, format: format === 'ustar' && entry.name.length > 90 ? 'pax' : format })),
      ),
    );
    const hot = [0, 512, 1024, 1536, 2048, 2560, 3072].map((from) => ({ from, to: from + 512 }));
    const run = async (input: Uint8Array) => {
      const listed = await outcome(listTarMembers(new MemoryImageFile(input)));
      const file = new MemoryImageFile(input, { ranged: false, pieceBytes: 777 });
      await using reader = new ByteReader(file.stream(), { name: 'x.ova' });
      const streamed = await outcome(readTarMembers(reader));
      expect(streamed.code).toBe(listed.code);
      if (listed.error) throw listed.error;
      expect(streamed.members).toEqual(listed.members);
    };
    expectMostCasesRefused(await fuzz('tar', { seeds, run, hot, caseMs: 2000 }));
  });
});

async function outcome(
  members: AsyncIterable<TarMember>,
): Promise<{ members: TarMember[]; error?: unknown; code?: unknown }> {
  try {
    return { members: await collect(members) };
  } catch (error) {
    return { members: [], error, code: error instanceof Error && 'code' in error ? error.code : String(error) };
  }
}

describe('fuzz: manifest', () => {
  it('manifests are read or refused', { timeout: 700_000 }, async () => {
    const seeds = [
      Buffer.from(
        `SHA256(a.ovf)= ${'ab'.repeat(32)}\nSHA1 (b (1).vmdk) = ${'cd'.repeat(20)}\r\n# c\nSHA512(c)=${'ef'.repeat(64)}`,
      ),
    ];
    expectMostCasesRefused(await fuzz('manifest', { seeds, run: (input) => parseManifest(input), caseMs: 1000 }));
  });
});

describe('fuzz: certificate', () => {
  it('no damaged file is trusted, and none throws', { timeout: 700_000 }, async () => {
    const manifest = Buffer.from(`SHA256(a.ovf)= ${'a'.repeat(64)}\n`);
    const root = buildCertificate({ name: 'Root', isCa: true });
    const signer = buildCertificate({ name: 'Signer', issuer: root });
    const other = Buffer.from('SHA256(evil.ovf)= 00\n');
    const seeds = [signManifest(manifest, 'a.mf', signer, { chain: [root] })];
    const run = (input: Uint8Array) => {
      const options = { manifestName: 'a.mf', trustedCas: [root.pem], now: new Date('2026-06-01') };
      expect(checkSignature(input, other, options).status).toBe('invalid');
      return checkSignature(input, manifest, options);
    };
    const result = await fuzz('certificate', { seeds, run, caseMs: 1000 });
    expect(result.accepted).toBe(result.cases);
  });
});
