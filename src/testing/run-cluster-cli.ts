import type { OpenCluster, PodLogOptions } from '../app/cluster/open-cluster.ts';
import type { ExitCode } from '../cli/exit-code.ts';
import { noPaint } from '../cli/io.ts';
import { runCli } from '../cli/run-cli.ts';
import type { ClusterOptions, Services } from '../cli/services.ts';
import type { Finding } from '../domain/finding.ts';
import type { ObjectRef } from '../domain/kubernetes-object.ts';
import { ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cluster } from '../ports/cluster.ts';
import { NAMESPACE } from './cluster-samples.ts';

export interface CliWorld {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly answers?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly remarks?: readonly Finding[];
  readonly openError?: Error;
  readonly readPodLog?: (pod: ObjectRef, options?: PodLogOptions) => AsyncIterable<string>;
  /** More of what commands can do. */
  readonly services?: Partial<Services>;
}

export interface CliRun {
  readonly exitCode: ExitCode;
  readonly out: string;
  readonly err: string;
  readonly questions: readonly string[];
  /** What the cluster was asked to be opened with. */
  readonly opened: readonly ClusterOptions[];
  /** Connections that were opened and not disposed. */
  readonly left: number;
}

/** Runs a command line against a cluster in memory. */
export async function runClusterCli(argv: readonly string[], world: CliWorld): Promise<CliRun> {
  const seen = { out: '', err: '', questions: [] as string[], opened: [] as ClusterOptions[], left: 0 };
  const answers = [...(world.answers ?? [])];
  const services = {
    versions: () => ({ airlift: '1.2.3' }),
    passwordFromEnvironment: undefined,
    async openCluster({ kubeconfig, context, namespace }: ClusterOptions): Promise<OpenCluster> {
      seen.opened.push({ kubeconfig, context, namespace });
      if (world.openError !== undefined) throw world.openError;
      seen.left += 1;
      return {
        cluster: world.cluster,
        namespace: namespace ?? NAMESPACE,
        origin: 'context test of the test',
        remarks: world.remarks ?? [],
        forwardPort: () => Promise.reject(new Error('nobody should forward a port here')),
        readPodLog: world.readPodLog ?? (() => Promise.reject(new Error('nobody should read logs here')) as never),
        [Symbol.asyncDispose]: async () => {
          seen.left -= 1;
        },
      };
    },
    async readTextFile(path: string) {
      const text = world.files?.[path];
      if (text === undefined) throw new ProblemError('SourceNotFound', `cannot read ${path}: ENOENT`);
      return text;
    },
    readInput: async () => world.input ?? '',
    ...world.services,
  };
  const exitCode = await runCli(argv, {
    services: services as Partial<Services> as Services,
    io: {
      print: (text) => {
        seen.out += text === '' ? '' : `${text}\n`;
      },
      note: (text) => {
        seen.err += `${text}\n`;
      },
      complain: (text) => {
        seen.err += `${text}\n`;
      },
      draw: () => {},
      isTerminal: false,
      columns: 110,
      paint: noPaint,
      ...(world.answers === undefined
        ? {}
        : {
            ask: async (question: string) => {
              seen.questions.push(question);
              return answers.shift() ?? '';
            },
          }),
    },
    clock: world.clock,
    signal: world.signal ?? new AbortController().signal,
    isDebug: false,
  });
  return { exitCode, ...seen };
}
