import { X509Certificate } from 'node:crypto';
import type { OpenSource } from '../app/platforms.ts';
import { isProblem } from '../domain/problems.ts';
import type { CommandCall, Flags, Positional } from './define-command.ts';
import { waitForAnswer } from './io.ts';
import type { Services, SourceOptions } from './services.ts';
import { UsageError } from './usage-error.ts';

export const outputFlag = {
  output: {
    type: 'choice',
    short: 'o',
    of: ['table', 'json', 'yaml'],
    default: 'table',
    help: 'How the result is written',
  },
} as const satisfies Flags;

export const sourcePositional: Positional = {
  name: 'source',
  help: 'An .ova, an .ovf, a folder with one, a disk image, or an http(s) address of an .ova',
};

/** How to reach and trust a source. */
export const sourceFlags = {
  user: {
    type: 'text',
    placeholder: 'name',
    help: 'User at the server of the source; the password comes from AIRLIFT_PASSWORD, --password-file or a prompt',
  },
  'password-file': { type: 'text', placeholder: 'file', help: 'File whose first line is the password' },
  ca: {
    type: 'text',
    placeholder: 'file',
    help: "CA certificates (PEM) that the server is trusted by, besides the system's",
  },
  insecure: { type: 'switch', help: 'Do not check who the server is. Shown as a warning everywhere' },
  deployment: { type: 'text', placeholder: 'id', help: 'Deployment option of the OVF; its own default unless given' },
  'signature-ca': {
    type: 'list',
    placeholder: 'file',
    help: 'CA certificates (PEM) that signers of manifests are trusted by; may be repeated',
  },
} as const satisfies Flags;

type SourceCall = Pick<CommandCall<typeof sourceFlags>, 'flags' | 'services' | 'io' | 'signal'>;

/** Opens the source; where the server asks for credentials, none were given and somebody is there to type them, asks once. */
export async function openSource(call: SourceCall, location: string): Promise<OpenSource> {
  return (await openSourceWith(call, location)).source;
}

/** The same, and how it was reached in the end. */
export async function openSourceWith(
  call: SourceCall,
  location: string,
): Promise<{ readonly source: OpenSource; readonly options: SourceOptions }> {
  const options = await readSourceOptions(call);
  const { services, io, signal } = call;
  try {
    return { source: await services.openSource(location, { ...options, signal }), options };
  } catch (error) {
    const mayAsk = isProblem(error, 'SourceAuthRequired') && options.password === undefined;
    if (!mayAsk || io.ask === undefined || io.askSecret === undefined) throw error;
    const user = options.user ?? (hasUser(location) ? undefined : await waitForAnswer(io.ask('User: ', { signal })));
    const password = await waitForAnswer(io.askSecret('Password: ', { signal }));
    const given = { ...options, user, password };
    return { source: await services.openSource(location, { ...given, signal }), options: given };
  }
}

async function readSourceOptions({ flags, services }: SourceCall): Promise<SourceOptions> {
  const passwordFile = flags['password-file'];
  return {
    user: flags.user,
    password:
      passwordFile === undefined ? services.passwordFromEnvironment : await readPassword(passwordFile, services),
    caPem: flags.ca === undefined ? undefined : await readCertificates(flags.ca, services),
    insecure: flags.insecure,
    deployment: flags.deployment,
    signatureCaPem: await Promise.all(flags['signature-ca'].map((file) => readCertificates(file, services))),
  };
}

async function readPassword(file: string, services: SourceCall['services']): Promise<string> {
  const [first = ''] = (await services.readTextFile(file)).split(/\r?\n/, 1);
  if (first === '') throw new UsageError(`the first line of ${file} is empty; it should be the password`);
  return first;
}

function hasUser(location: string): boolean {
  return Boolean(URL.parse(location)?.username);
}

/** @throws UsageError for a file in which nobody would find a certificate */
async function readCertificates(file: string, services: Services): Promise<string> {
  const text = await services.readTextFile(file);
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch {
    throw new UsageError(`${file} holds a damaged certificate`);
  }
  if (certificates.length === 0)
    throw new UsageError(`${file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`);
  return text;
}
