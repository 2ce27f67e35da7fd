import koffi, { type LibraryHandle } from 'koffi';
import type { HashAlgorithm, HashFactory, RunningHash } from './stored-digest.ts';

/**
 * SHA through libcrypto's plain contexts, whose state is ordinary memory and can therefore be stored in a checkpoint (ruling 7). The functions are
 * deprecated since OpenSSL 3.0 but part of every 1.1 and 3.x; context sizes are from its public header openssl/sha.h.
 */
const CONTEXTS: Record<
  HashAlgorithm,
  { readonly prefix: string; readonly contextBytes: number; readonly digestBytes: number }
> = {
  sha1: { prefix: 'SHA1', contextBytes: 96, digestBytes: 20 },
  sha256: { prefix: 'SHA256', contextBytes: 112, digestBytes: 32 },
  sha512: { prefix: 'SHA512', contextBytes: 216, digestBytes: 64 },
};
const LIBRARIES = ['libcrypto.so.3', 'libcrypto.so.1.1', 'libcrypto.3.dylib'];

interface ShaFunctions {
  readonly init: (context: Uint8Array) => number;
  readonly update: (context: Uint8Array, bytes: Uint8Array, length: number) => number;
  readonly final: (digest: Uint8Array, context: Uint8Array) => number;
}

/** Undefined where the system has no libcrypto; node:crypto then takes its place and a resume reads again. */
export function loadLibcryptoHashes(libraries: readonly string[] = LIBRARIES): HashFactory | undefined {
  const library = libraries.map(tryLoad).find((each) => each !== undefined);
  if (library === undefined) return undefined;
  const functions = {} as Record<HashAlgorithm, ShaFunctions>;
  for (const algorithm of ['sha1', 'sha256', 'sha512'] as const) {
    const { prefix } = CONTEXTS[algorithm];
    functions[algorithm] = {
      init: library.func(`int ${prefix}_Init(_Inout_ uint8_t *context)`),
      update: library.func(`int ${prefix}_Update(_Inout_ uint8_t *context, const uint8_t *bytes, size_t length)`),
      final: library.func(`int ${prefix}_Final(_Out_ uint8_t *digest, _Inout_ uint8_t *context)`),
    };
  }
  return {
    implementation: 'libcrypto',
    create(algorithm) {
      const context = Buffer.alloc(CONTEXTS[algorithm].contextBytes);
      functions[algorithm].init(context);
      return running(functions[algorithm], context, CONTEXTS[algorithm].digestBytes);
    },
    restore(algorithm, state) {
      // Fixed size, since a damaged checkpoint must not make libcrypto write past the buffer: a SHA context holds no pointers, but it holds a fill count.
      const { contextBytes, digestBytes } = CONTEXTS[algorithm];
      if (state.length !== contextBytes)
        throw new RangeError(`${algorithm} state has ${state.length} bytes instead of ${contextBytes}`);
      return running(functions[algorithm], Buffer.from(state), digestBytes);
    },
  };
}

function running(functions: ShaFunctions, context: Buffer, digestBytes: number): RunningHash {
  return {
    update: (bytes) => void functions.update(context, bytes, bytes.length),
    saveState: () => Uint8Array.from(context),
    finish() {
      const digest = Buffer.alloc(digestBytes);
      functions.final(digest, context);
      return digest.toString('hex');
    },
  };
}

function tryLoad(name: string): LibraryHandle | undefined {
  try {
    return koffi.load(name);
  } catch {
    // Not on this system; the next name, or none, is the answer.
    return undefined;
  }
}
