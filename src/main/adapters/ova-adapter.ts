import { X509Certificate } from 'node:crypto';
import { ovaSourceKind, readOvaSource } from '../../api/ova-source.ts';
import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import { isProblem, ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  DirectSource,
  ReadSecret,
  ResolvedSource,
  SecretValues,
  SourceAdapter,
} from '../../ports/source-adapter.ts';
import { parseHttpLocation } from '../../sources/ova/http-location.ts';
import { openOvaSource } from '../../sources/ova/open-ova-source.ts';
import { createOvaRelay } from '../../sources/ova/ova-relay.ts';

export interface OvaAdapterOptions {
  readonly clock: Clock;
  /** Whether a source may name a Secret of another namespace; `allow` unless told, as with upstream (docs/decisions/0014-sources.md). */
  readonly crossNamespace?: 'allow' | 'deny' | undefined;
}

/** Upstream's limit of a whole download; here of the time without a byte (W28). */
const STALL_SECONDS = 600;
/** Stands for no limit: longer than anybody waits, and still within what timers can count (2^31 ms). */
const NO_STALL_MS = 7 * 24 * 3600 * 1000;
/** Looking whether a server is there takes no longer than this without an answer, whatever a download may take. */
const CHECK_STALL_MS = 30_000;

/** Reads OvaSource objects: an appliance on a web server, with or without an account there. */
export function ovaAdapter({ clock, crossNamespace = 'allow' }: OvaAdapterOptions): SourceAdapter {
  return {
    resource: ovaSourceKind,
    async resolve(stored, readSecret, options) {
      const spec = readSpec(stored);
      const secret = await readCredentials(stored, spec, { readSecret, crossNamespace }, options);
      return resolvedSource(spec, secret, clock);
    },
  };
}

interface OvaSpec {
  readonly url: URL;
  readonly credentials: { readonly name?: string | undefined; readonly namespace?: string | undefined } | undefined;
  readonly isInsecure: boolean;
  readonly stallMs: number;
}

/** @throws ProblemError `SourceFieldInvalid`; the address is not repeated there, as it may hold a password */
function readSpec(stored: KubernetesObject): OvaSpec {
  const { object, findings } = readOvaSource(stored);
  const wrong = findings.find(({ severity }) => severity === 'blocker');
  if (wrong !== undefined) throw invalid(stored, wrong.message);
  const { url: text, credentials, httpTimeoutSeconds = STALL_SECONDS, insecureSkipTLSVerify } = object.spec;
  if (text === undefined) throw invalid(stored, 'spec.url is missing');
  const url = URL.parse(text.trim());
  if (url === null) throw invalid(stored, 'spec.url is no valid URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw invalid(stored, `spec.url begins with "${url.protocol}", not with "http:" or "https:"`);
  const stallMs = httpTimeoutSeconds > 0 ? Math.min(httpTimeoutSeconds * 1000, NO_STALL_MS) : NO_STALL_MS;
  return { url, credentials, isInsecure: insecureSkipTLSVerify, stallMs };
}

interface Credentials extends SecretValues {
  /** Where they lie, for messages. */
  readonly place: string;
}

interface SecretAccess {
  readonly readSecret: ReadSecret;
  readonly crossNamespace: 'allow' | 'deny';
}

async function readCredentials(
  stored: KubernetesObject,
  { credentials }: OvaSpec,
  { readSecret, crossNamespace }: SecretAccess,
  options?: CallOptions,
): Promise<Credentials | undefined> {
  const { name, namespace } = credentials ?? {};
  if (name === undefined && namespace === undefined) return undefined;
  if (name === undefined || namespace === undefined)
    throw invalid(stored, 'spec.credentials needs both a name and a namespace');
  const place = `Secret "${name}" in namespace "${namespace}"`;
  if (crossNamespace === 'deny' && namespace !== stored.metadata.namespace)
    throw new ProblemError('SecretNamespaceRefused', `${describe(stored)} names ${place}`);
  const secret = await readSecret({ namespace, name }, options);
  if (secret === undefined) throw new ProblemError('SecretMissing', `${describe(stored)}: there is no ${place}`);
  return { ...secret, place };
}

function resolvedSource(
  { url, isInsecure, stallMs }: OvaSpec,
  secret: Credentials | undefined,
  clock: Clock,
): ResolvedSource {
  const location = parseHttpLocation(url.href);
  const user = nonEmpty(secret, 'username');
  const password = nonEmpty(secret, 'password');
  // As upstream has it: one without the other takes no effect.
  const hasAccount = user !== undefined && password !== undefined;
  const caPem = readCa(secret);
  const access = {
    location: url.href,
    ...(hasAccount ? { user, password } : {}),
    caPem,
    insecure: isInsecure,
    stallMs,
    clock,
  };
  // Of an address with a query the query is the credential, when it is a presigned one. Nobody can tell, so workers are not given any.
  const isPlain = !hasAccount && location.user === undefined && location.password === undefined && url.search === '';
  const direct: DirectSource = {
    ova: { url: url.href, stallMs, ...(caPem === undefined ? {} : { ca: caPem }), ...(isInsecure && { isInsecure }) },
  };
  return {
    location: location.shown,
    host: url.hostname,
    secretVersion: secret?.version,
    stallMs,
    machineRef: () => undefined,
    async check({ signal } = {}) {
      try {
        // Reads the first bytes and nothing else; HEAD, which servers may refuse, is not used (W28). One try: whoever asks comes again.
        const once = { ...access, stallMs: Math.min(stallMs, CHECK_STALL_MS), tries: 1, signal };
        await using _opened = await openOvaSource(once);
      } catch (error) {
        throw nameHalfAccount(error, secret, { user, password });
      }
    },
    open: async ({ signal } = {}) => await openOvaSource({ ...access, signal }),
    direct: isPlain ? direct : undefined,
    ...(isPlain ? {} : { openRelay: async () => createOvaRelay(access) }),
  };
}

/** The CA as it is to be given to TLS, which would pass over in silence what is none. */
function readCa(secret: Credentials | undefined): string | undefined {
  const pem = nonEmpty(secret, 'ca.crt');
  if (pem === undefined) return undefined;
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    if (certificates.length === 0) throw new Error('no certificate in PEM');
    for (const each of certificates) new X509Certificate(each);
  } catch (cause) {
    throw new ProblemError('SecretValueInvalid', `ca.crt of ${secret?.place} holds no certificates in PEM`, { cause });
  }
  return pem;
}

/** Why an account that somebody believes to have given was not used. */
function nameHalfAccount(
  error: unknown,
  secret: Credentials | undefined,
  { user, password }: { readonly user: string | undefined; readonly password: string | undefined },
): unknown {
  if (!isProblem(error, 'SourceAuthRequired') || secret === undefined) return error;
  if ((user === undefined) === (password === undefined)) return error;
  const missing = user === undefined ? 'username' : 'password';
  const detail = `${error.message}; ${secret.place} has no ${missing}, so no account was given`;
  return new ProblemError(error.code, detail, { cause: error, context: error.context });
}

function nonEmpty(secret: SecretValues | undefined, key: string): string | undefined {
  return secret?.values.get(key) || undefined;
}

function invalid(stored: KubernetesObject, detail: string): ProblemError {
  return new ProblemError('SourceFieldInvalid', `${describe(stored)}: ${detail}`);
}

function describe({ metadata: { namespace = '', name } }: KubernetesObject): string {
  return `OvaSource "${name}" in namespace "${namespace}"`;
}
