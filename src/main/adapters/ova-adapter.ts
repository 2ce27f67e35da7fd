import { ovaSourceKind, readOvaSource } from '../../api/ova-source.ts';
import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  DirectSource,
  ReadSecret,
  ResolvedSource,
  SecretValues,
  SourceAdapter,
} from '../../ports/source-adapter.ts';
import { openOvaSource } from '../../sources/ova/open-ova-source.ts';
import { createOvaRelay } from '../../sources/ova/ova-relay.ts';

/** Upstream's limit of a whole download; here of the time without a byte (W28). */
const STALL_SECONDS = 600;

/** Reads OvaSource objects: an appliance on a web server, with or without an account there. */
export function ovaAdapter({ clock }: { readonly clock: Clock }): SourceAdapter {
  return {
    resource: ovaSourceKind,
    async resolve(stored, readSecret, options) {
      const { url, caPem, secret, isInsecure, stallMs } = await readSource(stored, readSecret, options);
      const user = secret?.values.get('username');
      const password = secret?.values.get('password');
      const hasAccount = user !== undefined && password !== undefined;
      const account = hasAccount ? { user, password } : {};
      const shown = shownUrl(url);
      const access = { location: url.href, ...account, caPem, insecure: isInsecure, stallMs, clock };
      const direct: DirectSource = {
        ova: {
          url: url.href,
          ...(caPem === undefined ? {} : { ca: caPem }),
          ...(isInsecure ? { isInsecure } : {}),
          ...(stallMs === undefined ? {} : { stallMs }),
        },
      };
      const hasSecretInUrl = url.username !== '' || url.password !== '';
      const resolved: ResolvedSource = {
        location: shown,
        host: url.host,
        secretVersion: secret?.version,
        stallMs,
        machineRef: () => undefined,
        async check({ signal } = {}) {
          await using source = await openOvaSource({ ...access, signal });
          for await (const _machine of source.listMachines({ signal })) return;
        },
        open: async ({ signal } = {}) => await openOvaSource({ ...access, signal }),
        openRelay: async () => createOvaRelay(access),
        direct: hasAccount || hasSecretInUrl ? undefined : direct,
      };
      return resolved;
    },
  };
}

interface OvaAccess {
  readonly url: URL;
  readonly caPem: string | undefined;
  readonly secret: SecretValues | undefined;
  readonly isInsecure: boolean;
  readonly stallMs: number | undefined;
}

async function readSource(stored: KubernetesObject, readSecret: ReadSecret, options?: CallOptions): Promise<OvaAccess> {
  const { object, findings } = readOvaSource(stored);
  const [wrong] = findings.filter(({ severity }) => severity === 'blocker');
  const name = `OvaSource ${stored.metadata.namespace ?? ''}/${stored.metadata.name}`;
  if (wrong !== undefined) throw new ProblemError(wrong.code, `${name}: ${wrong.message}`);
  const { url: text, credentials, httpTimeoutSeconds = STALL_SECONDS, insecureSkipTLSVerify } = object.spec;
  // Not repeated: it may hold a password.
  const url = text === undefined ? null : URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new ProblemError('ImportFieldInvalid', `${name}: spec.url is no http or https address`);
  const secret = await secretOf(name, credentials, readSecret, options);
  return {
    url,
    caPem: secret?.values.get('ca.crt'),
    secret,
    isInsecure: insecureSkipTLSVerify,
    stallMs: httpTimeoutSeconds > 0 ? httpTimeoutSeconds * 1000 : undefined,
  };
}

async function secretOf(
  owner: string,
  ref: { readonly name?: string | undefined; readonly namespace?: string | undefined } | undefined,
  readSecret: ReadSecret,
  options?: CallOptions,
): Promise<SecretValues | undefined> {
  const { name, namespace } = ref ?? {};
  if (name === undefined && namespace === undefined) return undefined;
  if (name === undefined || namespace === undefined)
    throw new ProblemError('ImportFieldInvalid', `${owner}: spec.credentials needs a name and a namespace`);
  const secret = await readSecret({ namespace, name }, options);
  if (secret === undefined)
    throw new ProblemError('SecretMissing', `${owner}: there is no Secret "${name}" in namespace "${namespace}"`);
  return secret;
}

function shownUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  shown.search = '';
  return shown.href;
}
