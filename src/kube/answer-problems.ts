import { z } from 'zod';
import { type ProblemCode, type ProblemContext, ProblemError } from '../domain/problems.ts';
import { type Asked, canICommand, describeAsked } from './asked.ts';

/** `Status` of meta/v1, as far as it is read. Anything may be missing: the answer may come from a proxy. */
const statusSchema = z.object({
  code: z.number().optional().catch(undefined),
  reason: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  metadata: z
    .object({ continue: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
  details: z
    .object({
      name: z.string().optional().catch(undefined),
      kind: z.string().optional().catch(undefined),
      retryAfterSeconds: z.number().optional().catch(undefined),
      causes: z
        .array(
          z.object({ reason: z.string().optional(), message: z.string().optional(), field: z.string().optional() }),
        )
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
});

export type ApiStatus = z.output<typeof statusSchema>;

/** An empty one for whatever is no Status. */
export function readStatus(value: unknown): ApiStatus {
  const read = statusSchema.safeParse(value);
  return read.success ? read.data : {};
}

/** The problem that an answer other than 2xx is. */
export function problemOfStatus(
  httpStatus: number,
  status: ApiStatus,
  asked: Asked,
  retryAfterMs?: number,
): ProblemError {
  const [code, detail] = judge(httpStatus, status, asked);
  const seconds = status.details?.retryAfterSeconds;
  const context: ProblemContext = {
    status: httpStatus,
    reason: status.reason,
    retryAfterMs: retryAfterMs ?? (seconds === undefined ? undefined : seconds * 1_000),
    continueWith: httpStatus === 410 ? status.metadata?.continue : undefined,
  };
  return new ProblemError(code, detail, { context });
}

function judge(httpStatus: number, status: ApiStatus, asked: Asked): readonly [ProblemCode, string] {
  const what = describeAsked(asked);
  const words = serversWords(status);
  switch (httpStatus) {
    case 400:
    case 413:
    case 415:
    case 422:
      // To a patch for an object that another one has taken the place of.
      if (isAboutUid(status)) return ['ClusterConflict', `${what}: it is another object of that name`];
      return ['ClusterObjectInvalid', `${what}: ${words ?? `status ${httpStatus}`}`];
    case 401:
      return ['ClusterUnauthorized', `${what}: the credentials are not accepted`];
    case 403:
      return judgeForbidden(status, asked);
    case 404:
      return judgeMissing(status, asked);
    case 409:
      if (status.reason === 'AlreadyExists') return ['ClusterObjectExists', `${what} is there already`];
      return ['ClusterConflict', `${what}: ${conflictsOf(status) ?? words ?? 'it was changed meanwhile'}`];
    case 429:
      return ['ClusterBusy', `${what}: the API asks to wait`];
    case 408:
    case 502:
    case 503:
    case 504:
      return ['ClusterUnreachable', `${what}: answered with status ${httpStatus}${words ? `: ${words}` : ''}`];
    default:
      if (isTypeError(words)) return ['ClusterObjectInvalid', `${what}: ${words}`];
      return ['ClusterFailed', `${what}: answered with status ${httpStatus}${words ? `: ${words}` : ''}`];
  }
}

/** 403 is said by access control, by quota, and by whatever else has a say in what may be written. */
function judgeForbidden(status: ApiStatus, asked: Asked): readonly [ProblemCode, string] {
  const words = serversWords(status) ?? '';
  if (words.includes('exceeded quota')) return ['ClusterQuotaExceeded', `${describeAsked(asked)}: ${words}`];
  // `secrets is forbidden: User "x" cannot list resource "secrets" in API group "" in the namespace "y"` (k8s.io/apiserver/pkg/endpoints/handlers/responsewriters)
  const refused = /User "([^"]*)" cannot /.exec(words);
  if (refused === null && words !== '' && asked.verb !== 'get' && asked.verb !== 'list' && asked.verb !== 'watch') {
    return ['ClusterWriteRefused', `${describeAsked(asked)}: ${words}`];
  }
  const user = refused?.[1];
  const where = asked.namespace === undefined ? '' : ` in namespace ${asked.namespace}`;
  const resource = `${asked.kind.plural}${asked.subresource === undefined ? '' : `/${asked.subresource}`}`;
  return [
    'ClusterForbidden',
    `${user ?? 'this user'} may not ${asked.verb} ${resource}${where}; check with: ${canICommand(asked, user)}`,
  ];
}

/** The kind is missing when the server does not say which object is. */
function judgeMissing({ details }: ApiStatus, asked: Asked): readonly [ProblemCode, string] {
  if (!details?.name) {
    const part = asked.subresource === undefined ? '' : `/${asked.subresource}`;
    return ['ClusterKindMissing', `the cluster has no ${asked.kind.plural}${part} of ${asked.kind.apiVersion}`];
  }
  const isOther = details.kind !== undefined && details.kind !== asked.kind.plural;
  return ['ClusterObjectMissing', `${isOther ? `${details.kind} ${details.name}` : describeAsked(asked)} is not there`];
}

/** What server-side apply says of fields that are not in the schema; with status 500, though nothing in the server is wrong (kubernetes/kubernetes#122480). */
function isTypeError(words: string | undefined): boolean {
  return words?.startsWith('failed to create typed patch object') ?? false;
}

function isAboutUid({ details }: ApiStatus): boolean {
  return details?.causes?.length ? details.causes.every(({ field }) => field === 'metadata.uid') : false;
}

/** Of server-side apply: the fields and who holds them. */
function conflictsOf({ details }: ApiStatus): string | undefined {
  const causes = details?.causes?.filter(({ reason }) => reason === 'FieldManagerConflict') ?? [];
  return causes.length === 0 ? undefined : causes.map(({ field, message }) => `${field}: ${message}`).join('; ');
}

const MOST_WORDS = 1_000;

/** What the server says, made fit for one line. */
function serversWords({ message }: ApiStatus): string | undefined {
  if (!message) return undefined;
  const line = message
    // The server quotes the object around a place it cannot read, and the object may be a Secret.
    .replace(/error found in #.*$/s, '...')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
    .replaceAll(/[\u0000-\u001f\u007f]+/g, ' ')
    .trim();
  return line.length > MOST_WORDS ? `${line.slice(0, MOST_WORDS)}...` : line;
}
