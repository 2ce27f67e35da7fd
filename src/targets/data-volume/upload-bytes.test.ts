import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCertificate, type EndpointCertificate } from '../../controller/endpoint/create-certificate.ts';
import { FakeUploadProxy } from '../../testing/fake-upload-proxy.ts';
import { buildSyntheticDisk, decodeSynthetic, syntheticReader } from '../../testing/synthetic-disk.ts';
import { uploadBytes } from './upload-bytes.ts';

const MIB = 2 ** 20;

let certificate: EndpointCertificate;
beforeAll(async () => {
  certificate = await createCertificate({ names: ['127.0.0.1'], now: Date.now() });
});

let folder: string;
let proxy: FakeUploadProxy;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'airlift-upload-'));
  proxy = await FakeUploadProxy.start({ certificate, path: join(folder, 'volume') });
  proxy.tokens.add('a-token');
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const ticket = (more: object = {}) => ({ url: proxy.url, token: 'a-token', ca: certificate.caPem, ...more });
const written = () => readFileSync(join(folder, 'volume'));

describe.each([false, true])('a disk that is uploaded (from the start only: %s)', (forward) => {
  test('is written whole, raw, and filled up to a sector', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: 33 * MIB + 1000 });
    const progress: number[] = [];
    const sent = await uploadBytes(syntheticReader(disk, { forward }), {
      ticket: ticket(),
      decode: decodeSynthetic,
      onProgress: (bytes) => progress.push(bytes),
    });
    expect(sent).toBe(33 * MIB + 1024);
    expect(written()).toHaveLength(sent);
    expect(written().subarray(0, disk.content.length).equals(disk.content)).toBe(true);
    expect(progress.at(-1)).toBe(disk.content.length);
    expect(proxy.isDone).toBe(true);
  });
});

describe('an upload that is not taken', () => {
  const disk = buildSyntheticDisk({ virtualSizeBytes: 9 * MIB });
  const upload = (more: object = {}) =>
    uploadBytes(syntheticReader(disk), { ticket: ticket(more), decode: decodeSynthetic, onProgress() {} });

  test.each([
    ['the token is over', () => proxy.tokens.clear(), 401],
    ['the server behind it is not there', () => Object.assign(proxy, { isReady: false }), 503],
    ['there is a whole disk already', () => Object.assign(proxy, { isDone: true }), 409],
    ['the disk is too large', () => Object.assign(proxy, { refusal: 'larger than the reported storage' }), 400],
  ])('%s', async (_, prepare, status) => {
    prepare();
    await expect(upload()).rejects.toMatchObject({ code: 'UploadRefused', context: { status } });
  });

  test("tells the proxy's own words", async () => {
    proxy.refusal = 'effective image size is larger than the reported available storage';
    await expect(upload()).rejects.toThrow(proxy.refusal);
  });

  test('one that breaks off may begin anew', async () => {
    proxy.breaksAfter = 5 * MIB;
    await expect(upload()).rejects.toMatchObject({ code: 'UploadFailed' });
    await upload();
    expect(written().equals(disk.content)).toBe(true);
  });

  test('a proxy whose certificate nothing vouches for gets no byte', async () => {
    const { caPem } = await createCertificate({ names: ['127.0.0.1'], now: Date.now() });
    await expect(upload({ ca: caPem })).rejects.toMatchObject({ code: 'UploadFailed' });
    expect(proxy.answers).toEqual([]);
  });

  test('what is wrong with the source is told as that', async () => {
    const bad = { ...decodeSynthetic };
    const reading = uploadBytes(syntheticReader(disk), {
      ticket: ticket(),
      decode: () => Object.keys(bad).length,
      onProgress() {},
    });
    await expect(reading).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
    expect(proxy.isDone).toBe(false);
  });

  test('stops when told to', async () => {
    const stop = new AbortController();
    const reading = uploadBytes(syntheticReader(disk), {
      ticket: ticket(),
      decode: decodeSynthetic,
      onProgress: () => stop.abort(new Error('enough')),
      signal: stop.signal,
    });
    await expect(reading).rejects.toThrow('enough');
    expect(proxy.isDone).toBe(false);
  });
});
