import { resolve } from 'node:path';
import { ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';
import { type ClientCertificate, type Credentials, fixedIdentity, type Identity } from './api-access.ts';
import { readDataOrFile } from './data-or-file.ts';
import type { Entry, KubeconfigExec, KubeconfigUser } from './kubeconfig-file.ts';
import { PluginIdentity } from './plugin-identity.ts';
import type { RunPlugin } from './run-plugin.ts';
import { TokenFileIdentity } from './token-file-identity.ts';

export interface UserIdentityOptions {
  readonly clock: Clock;
  readonly run: RunPlugin;
  /** What a plugin may be told of the cluster. */
  readonly clusterInfo: Readonly<Record<string, string | boolean>>;
}

const PLUGIN_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

/**
 * The identity that a user of a kubeconfig stands for; nobody's when there is no user.
 * @throws ProblemError `KubeconfigUnusable` for what cannot be done, by name
 */
export async function userIdentity(
  name: string,
  user: Entry<KubeconfigUser> | undefined,
  options: UserIdentityOptions,
): Promise<Identity> {
  if (user === undefined) return fixedIdentity({ headers: {} });
  const { value, file, folder } = user;
  if (value['auth-provider']) {
    const provider = value['auth-provider'].name ?? 'without a name';
    const detail = `the user ${name} in ${file} uses the auth-provider ${provider}, which kubectl does not support any more either; use an exec plugin`;
    throw new ProblemError('KubeconfigUnusable', detail);
  }
  const certificate = await certificateOf(name, user);
  const identity = (() => {
    if (value.exec) return new PluginIdentity(pluginOf(name, user, value.exec, options.clusterInfo), options);
    if (value.tokenFile) return new TokenFileIdentity(resolve(folder, value.tokenFile), options.clock);
    return fixedIdentity({ headers: authorizationOf(value) });
  })();
  return withMore(identity, certificate, impersonationOf(value));
}

async function certificateOf(name: string, user: Entry<KubeconfigUser>): Promise<ClientCertificate | undefined> {
  const certificatePem = await readDataOrFile(user, user.value, 'client-certificate');
  const keyPem = await readDataOrFile(user, user.value, 'client-key');
  if (certificatePem !== undefined && keyPem !== undefined) return { certificatePem, keyPem };
  if (certificatePem === undefined && keyPem === undefined) return undefined;
  const missing = keyPem === undefined ? 'client-key' : 'client-certificate';
  throw new ProblemError('KubeconfigUnusable', `the user ${name} in ${user.file} has no ${missing}`);
}

function authorizationOf({ token, username, password }: KubeconfigUser): Readonly<Record<string, string>> {
  if (token) return { authorization: `Bearer ${token}` };
  if (!username) return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` };
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
function impersonationOf(user: KubeconfigUser): Credentials['headers'] {
  const extra = Object.entries(user['as-user-extra']).map(([key, values]) => [
    `impersonate-extra-${encodeURIComponent(key.toLowerCase())}`,
    values,
  ]);
  return {
    ...(user.as ? { 'impersonate-user': user.as } : {}),
    ...(user['as-uid'] ? { 'impersonate-uid': user['as-uid'] } : {}),
    ...(user['as-groups'].length > 0 ? { 'impersonate-group': user['as-groups'] } : {}),
    ...Object.fromEntries(extra),
  };
}

function pluginOf(
  name: string,
  { file, folder }: Entry<KubeconfigUser>,
  exec: KubeconfigExec,
  cluster: UserIdentityOptions['clusterInfo'],
) {
  const { apiVersion = '', command, args, env, installHint, interactiveMode, provideClusterInfo } = exec;
  const refuse = (why: string) =>
    new ProblemError('KubeconfigUnusable', `the exec plugin of the user ${name} in ${file} ${why}`);
  if (!command) throw refuse('has no command');
  if (!PLUGIN_VERSIONS.includes(apiVersion))
    throw refuse(`speaks ${apiVersion || 'no version'}; ${PLUGIN_VERSIONS.join(' or ')} is needed`);
  if (interactiveMode === 'Always')
    throw refuse('wants to talk to a person (interactiveMode: Always), which is not supported');
  return {
    apiVersion,
    // One with a slash is a path and starts at the kubeconfig's folder; a bare name is looked for in PATH.
    command: /[/\\]/.test(command) ? resolve(folder, command) : command,
    args,
    env: Object.fromEntries(env.map((each) => [each.name, each.value])),
    installHint,
    ...(provideClusterInfo ? { cluster } : {}),
  };
}

function withMore(
  identity: Identity,
  certificate: ClientCertificate | undefined,
  headers: Credentials['headers'],
): Identity {
  if (certificate === undefined && Object.keys(headers).length === 0) return identity;
  return {
    async current(options) {
      const own = await identity.current(options);
      return { headers: { ...own.headers, ...headers }, certificate: own.certificate ?? certificate };
    },
    refuse: () => identity.refuse(),
  };
}
