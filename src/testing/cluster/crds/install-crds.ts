import { setTimeout as delay } from 'node:timers/promises';
import type { Kubectl } from '../kubectl.ts';
import type { CustomResourceDefinition } from './load-crds.ts';

interface InstalledCrd {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] | null };
}

/** Applies CRDs and returns once the API serves all of them. */
export async function installCrds(kubectl: Kubectl, crds: readonly CustomResourceDefinition[]): Promise<void> {
  if (crds.length === 0) return;
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: crds });
  // kubectl's own validation would fetch the API's whole description first, which is made anew with every CRD; the API validates by itself.
  await kubectl(['apply', '--server-side', '--force-conflicts', '--validate=false', '-f', '-'], { input });
  const until = performance.now() + 60_000;
  for (;;) {
    const served = await servedCrds(kubectl);
    const missing = crds.map(({ metadata }) => metadata.name).filter((name) => !served.has(name));
    if (missing.length === 0) return;
    if (performance.now() > until) throw new Error(`the API does not serve ${missing.join(', ')} after a minute`);
    await delay(100);
  }
}

/** All at once: `kubectl wait` asks for each by itself, which takes seconds for a project's worth. */
async function servedCrds(kubectl: Kubectl): Promise<Set<string>> {
  const { items } = JSON.parse(await kubectl(['get', 'customresourcedefinitions', '-o', 'json'])) as {
    readonly items: readonly InstalledCrd[];
  };
  const isServed = ({ status }: InstalledCrd) =>
    status?.conditions?.some(({ type, status: value }) => type === 'Established' && value === 'True') ?? false;
  return new Set(items.filter(isServed).map(({ metadata }) => metadata.name));
}
