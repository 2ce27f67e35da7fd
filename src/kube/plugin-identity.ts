import { z } from 'zod';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { ClientCertificate, Credentials, Identity } from './api-access.ts';
import type { CredentialPlugin, RunPlugin } from './run-plugin.ts';

/** `ExecCredential` (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/). */
const answerSchema = z.object({
  apiVersion: z.string(),
  kind: z.literal('ExecCredential'),
  status: z.object({
    expirationTimestamp: z.string().optional(),
    token: z.string().min(1).optional(),
    clientCertificateData: z.string().min(1).optional(),
    clientKeyData: z.string().min(1).optional(),
  }),
});

/** Asked for again so long before they end, so that a request under way does not outlive them. */
const MARGIN_MS = 10_000;

interface Obtained {
  readonly credentials: Credentials;
  readonly untilMs: number;
}

/** Credentials that a program gives, kept until they expire or are refused. However many ask at once, it is run once. */
export class PluginIdentity implements Identity {
  readonly #plugin: CredentialPlugin;
  readonly #run: RunPlugin;
  readonly #clock: Clock;
  #obtained: Obtained | undefined;
  #underWay: Promise<Obtained> | undefined;

  constructor(plugin: CredentialPlugin, { run, clock }: { readonly run: RunPlugin; readonly clock: Clock }) {
    this.#plugin = plugin;
    this.#run = run;
    this.#clock = clock;
  }

  async current({ signal }: CallOptions = {}): Promise<Credentials> {
    if (this.#obtained === undefined || this.#clock.now() >= this.#obtained.untilMs) {
      this.#underWay ??= this.#obtain().finally(() => {
        this.#underWay = undefined;
      });
      this.#obtained = await this.#underWay;
      signal?.throwIfAborted();
    }
    return this.#obtained.credentials;
  }

  refuse(): boolean {
    this.#obtained = undefined;
    return true;
  }

  async #obtain(): Promise<Obtained> {
    const { command, apiVersion } = this.#plugin;
    const output = await this.#run(this.#plugin);
    const answer = answerSchema.safeParse(parseJson(output));
    // What it printed is a secret, or may be: nothing of it is repeated.
    if (!answer.success) throw new ProblemError('KubeCredentialsFailed', `${command} does not print an ExecCredential`);
    if (answer.data.apiVersion !== apiVersion) {
      const detail = `${command} answers in ${answer.data.apiVersion}, the kubeconfig asks for ${apiVersion}`;
      throw new ProblemError('KubeCredentialsFailed', detail);
    }
    const { token, expirationTimestamp } = answer.data.status;
    const certificate = certificateOf(answer.data.status);
    if (token === undefined && certificate === undefined) {
      throw new ProblemError(
        'KubeCredentialsFailed',
        `${command} gives neither a token nor a certificate with its key`,
      );
    }
    const expiresMs = expirationTimestamp === undefined ? Infinity : Date.parse(expirationTimestamp);
    return {
      credentials: { headers: token === undefined ? {} : { authorization: `Bearer ${token}` }, certificate },
      // A time that cannot be read is none: asked for anew each time.
      untilMs: Number.isNaN(expiresMs) ? 0 : expiresMs - MARGIN_MS,
    };
  }
}

function certificateOf(status: z.output<typeof answerSchema>['status']): ClientCertificate | undefined {
  const { clientCertificateData, clientKeyData } = status;
  if (clientCertificateData === undefined || clientKeyData === undefined) return undefined;
  return { certificatePem: clientCertificateData, keyPem: clientKeyData };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
