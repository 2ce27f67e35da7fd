import type { PlanOptions } from '../app/plan-import.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CommandCall, Flags } from './define-command.ts';
import type { SourceOptions } from './services.ts';

export const outputFlag = {
  output: {
    type: 'choice',
    short: 'o',
    of: ['table', 'json', 'yaml'],
    default: 'table',
    help: 'How the result is written',
  },
} as const satisfies Flags;

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

/** What the machine will be on the target. */
export const mappingFlags = {
  name: {
    type: 'text',
    placeholder: 'name',
    help: "Name on the target; made from the machine's own name unless given",
  },
  namespace: { type: 'text', placeholder: 'name', help: 'Namespace written into the manifest' },
  network: {
    type: 'list',
    placeholder: 'source=namespace/name',
    help: 'Counterpart of a network: a NetworkAttachmentDefinition, or "pod"; may be repeated',
  },
  'disk-bus': {
    type: 'choice',
    of: ['virtio', 'sata', 'scsi'],
    help: 'Bus of all disks, instead of the one chosen for each',
  },
  'boot-doubt': {
    type: 'choice',
    of: ['warn', 'block'],
    default: 'warn',
    help: 'What to do when it is doubtful that the guest starts on its new disk bus',
  },
  'storage-class': { type: 'text', placeholder: 'name', help: 'StorageClass written into the manifest' },
} as const satisfies Flags;

type SourceCall = CommandCall<typeof sourceFlags>;

export async function readSourceOptions({
  flags,
  services,
}: Pick<SourceCall, 'flags' | 'services'>): Promise<SourceOptions> {
  const passwordFile = flags['password-file'];
  const caFiles = flags['signature-ca'];
  return {
    user: flags.user,
    password:
      passwordFile === undefined
        ? services.passwordFromEnvironment
        : firstLine(await services.readTextFile(passwordFile)),
    caPem: flags.ca === undefined ? undefined : await services.readTextFile(flags.ca),
    insecure: flags.insecure,
    deployment: flags.deployment,
    signatureCaPem: await Promise.all(caFiles.map((file) => services.readTextFile(file))),
  };
}

/** Opens the source; where the server asks for a password and somebody is there to type it, asks once. */
export async function openSource(call: SourceCall, location: string) {
  const options = await readSourceOptions(call);
  const { services, io, signal } = call;
  try {
    return await services.openSource(location, { ...options, signal });
  } catch (error) {
    const mayAsk =
      error instanceof ProblemError &&
      error.code === 'SourceAuthRequired' &&
      options.password === undefined &&
      io.askSecret;
    if (!mayAsk) throw error;
    const password = await io.askSecret?.(`Password${options.user === undefined ? '' : ` of ${options.user}`}: `);
    return services.openSource(location, { ...options, password, signal });
  }
}

export function readMapping({
  flags,
}: Pick<CommandCall<typeof mappingFlags>, 'flags'>): Pick<PlanOptions, 'targetName' | 'mapping'> {
  return {
    targetName: flags.name,
    mapping: {
      networks: new Map(flags.network.map(parseNetwork)),
      bootDoubt: flags['boot-doubt'],
      ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
      ...(flags['disk-bus'] === undefined ? {} : { diskBus: flags['disk-bus'] }),
      ...(flags['storage-class'] === undefined ? {} : { storageClassName: flags['storage-class'] }),
    },
  };
}

/** A mistake in how the command was called. */
export class UsageError extends Error {}

function parseNetwork(text: string): [string, string] {
  // The source's name may hold "=", a Kubernetes name cannot.
  const at = text.lastIndexOf('=');
  if (at <= 0 || at === text.length - 1)
    throw new UsageError(
      `--network wants "<source network>=<namespace>/<name>" or "<source network>=pod", not "${text}"`,
    );
  return [text.slice(0, at), text.slice(at + 1)];
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}
