import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { buildKubevirtJudge } from './build.ts';

/** What KubeVirt says to one object; accepted when every list is empty. The fields are those of Verdict in main.go. */
export interface Verdict {
  readonly kind: string;
  readonly name: string;
  /** As KubeVirt's own parser read them. */
  readonly annotations: Readonly<Record<string, string>> | null;
  readonly unknownFields: readonly string[];
  readonly schemaErrors: readonly string[];
  readonly metaErrors: readonly string[];
  readonly causes: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
}

/** Has KubeVirt's own schema and admission judge every object of a multi-document YAML text, in order. */
export async function judgeWithKubevirt(yaml: string): Promise<Verdict[]> {
  const judge = spawn(await buildKubevirtJudge(), { stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = new Promise<number | null>((resolve, reject) => {
    judge.on('error', reject);
    judge.on('close', resolve);
  });
  judge.stdin.end(yaml);
  const [output, complaint, code] = await Promise.all([text(judge.stdout), text(judge.stderr), exited]);
  if (code !== 0) throw new Error(`the judge ended with ${code}: ${complaint}`);
  return JSON.parse(output) as Verdict[];
}

/** The objections to one object, empty when KubeVirt accepts it. */
export function objections(verdict: Verdict): string[] {
  return [
    ...verdict.unknownFields.map((each) => `unknown field ${each}`),
    ...verdict.schemaErrors,
    ...verdict.metaErrors,
    ...verdict.causes.map((each) => `${each.field}: ${each.message}`),
  ];
}
