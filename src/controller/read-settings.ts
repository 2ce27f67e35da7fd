import { z } from 'zod';
import { CONTROLLER_LEASE, CONTROLLER_NAME } from '../api/literals.ts';
import { ProblemError } from '../domain/problems.ts';
import type { ControllerSettings } from './settings.ts';

const whole = (least: number, most: number, otherwise: number) =>
  z.coerce.number().int().min(least).max(most).default(otherwise);
const list = z
  .string()
  .optional()
  .transform((text) =>
    (text ?? '')
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== ''),
  );
const quantities = z.record(z.string(), z.string());
/** JSON, as a chart renders it. */
const resources = z
  .string()
  .default('{}')
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: 'is no JSON' });
      return z.NEVER;
    }
  })
  .pipe(z.object({ requests: quantities.optional(), limits: quantities.optional() }));

const flag = z
  .enum(['true', 'false', ''])
  .default('false')
  .transform((text) => text === 'true');

/** Names are those of docs/controller.md, which the chart sets. */
const schema = z.object({
  AIRLIFT_NAMESPACE: z.string().min(1),
  AIRLIFT_POD: z.string().min(1),
  AIRLIFT_IMAGE: z.string().min(1),
  AIRLIFT_ENDPOINT_PORT: whole(0, 65_535, 8443),
  AIRLIFT_ENDPOINT_HOST: z.string().optional(),
  AIRLIFT_ENDPOINT_URL: z.url({ protocol: /^https$/ }).optional(),
  AIRLIFT_IMAGE_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  AIRLIFT_IMAGE_URL: z.url({ protocol: /^http$/ }).optional(),
  AIRLIFT_CDI_NAMESPACE: z.string().min(1).max(63).optional(),
  AIRLIFT_UPLOAD_PROXY_URL: z.url({ protocol: /^https$/ }).optional(),
  AIRLIFT_HEALTH_PORT: whole(0, 65_535, 8081),
  AIRLIFT_LOOK_SECONDS: whole(1, 3600, 30),
  AIRLIFT_SECRETS_OF_OTHER_NAMESPACES: z.enum(['allow', 'deny']).default('allow'),
  AIRLIFT_LEASE: z.string().min(1).default(CONTROLLER_LEASE),
  AIRLIFT_ENDPOINT_SECRET: z.string().min(1).default('airlift-endpoint'),
  AIRLIFT_TRANSFERS: whole(1, 1000, 16),
  AIRLIFT_TRANSFERS_PER_HOST: whole(1, 1000, 4),
  AIRLIFT_TRANSFERS_PER_NODE: whole(1, 1000, 4),
  AIRLIFT_WORKER_RESOURCES: resources,
  AIRLIFT_WORKER_USER: whole(1, 2_147_483_647, 107),
  AIRLIFT_WORKER_ROOT: flag,
  AIRLIFT_WORKER_PRIORITY_CLASS: z.string().optional(),
  AIRLIFT_IMAGE_PULL_SECRETS: list,
});

/**
 * The controller's settings from its environment. Empty variables count as absent: that is what a template leaves of a value that nobody gave.
 * @param instance tells this process from earlier ones of the same Pod
 * @throws ProblemError `ControllerSettingsWrong` naming every variable that is
 */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>>,
  instance: string,
): ControllerSettings {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const read = schema.safeParse(given);
  if (!read.success) {
    const wrong = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new ProblemError('ControllerSettingsWrong', wrong.join('; '));
  }
  const {
    AIRLIFT_NAMESPACE: namespace,
    AIRLIFT_ENDPOINT_PORT: port,
    AIRLIFT_WORKER_PRIORITY_CLASS: priorityClassName,
    ...rest
  } = read.data;
  const service = `${CONTROLLER_NAME}.${namespace}.svc`;
  const endpointUrl = rest.AIRLIFT_ENDPOINT_URL ?? `https://${service}:${port}`;
  return {
    namespace,
    identity: `${rest.AIRLIFT_POD}_${instance}`,
    leaseName: rest.AIRLIFT_LEASE,
    healthPort: rest.AIRLIFT_HEALTH_PORT,
    lookEveryMs: rest.AIRLIFT_LOOK_SECONDS * 1000,
    crossNamespaceSecrets: rest.AIRLIFT_SECRETS_OF_OTHER_NAMESPACES,
    endpoint: {
      port,
      host: rest.AIRLIFT_ENDPOINT_HOST,
      names: [...new Set([new URL(endpointUrl).hostname.replace(/^\[|\]$/g, ''), service])],
      secretName: rest.AIRLIFT_ENDPOINT_SECRET,
    },
    ...(rest.AIRLIFT_IMAGE_PORT === undefined
      ? {}
      : {
          images: {
            port: rest.AIRLIFT_IMAGE_PORT,
            baseUrl: (rest.AIRLIFT_IMAGE_URL ?? `http://${service}:${rest.AIRLIFT_IMAGE_PORT}`).replace(/\/+$/, ''),
          },
        }),
    ...(rest.AIRLIFT_CDI_NAMESPACE === undefined
      ? {}
      : {
          uploads: {
            namespace: rest.AIRLIFT_CDI_NAMESPACE,
            url:
              rest.AIRLIFT_UPLOAD_PROXY_URL ??
              `https://cdi-uploadproxy.${rest.AIRLIFT_CDI_NAMESPACE}.svc/v1beta1/upload`,
          },
        }),
    worker: {
      image: rest.AIRLIFT_IMAGE,
      endpointUrl,
      resources: {
        ...(rest.AIRLIFT_WORKER_RESOURCES.requests && { requests: rest.AIRLIFT_WORKER_RESOURCES.requests }),
        ...(rest.AIRLIFT_WORKER_RESOURCES.limits && { limits: rest.AIRLIFT_WORKER_RESOURCES.limits }),
      },
      userId: rest.AIRLIFT_WORKER_USER,
      isRootAllowed: rest.AIRLIFT_WORKER_ROOT,
      imagePullSecrets: rest.AIRLIFT_IMAGE_PULL_SECRETS,
      ...(priorityClassName === undefined ? {} : { priorityClassName }),
    },
    limits: {
      total: rest.AIRLIFT_TRANSFERS,
      perHost: rest.AIRLIFT_TRANSFERS_PER_HOST,
      perNode: rest.AIRLIFT_TRANSFERS_PER_NODE,
    },
  };
}
