import type { Kubectl } from '../kubectl.ts';
import type { CustomResourceDefinition } from './load-crds.ts';

/** Applies CRDs and returns once the API serves all of them. */
export async function installCrds(kubectl: Kubectl, crds: readonly CustomResourceDefinition[]): Promise<void> {
  if (crds.length === 0) return;
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: crds });
  // kubectl's own validation would fetch the API's whole description first, which is made anew with every CRD; the API validates by itself.
  await kubectl(['apply', '--server-side', '--force-conflicts', '--validate=false', '-f', '-'], { input });
  const names = crds.map(({ metadata }) => `customresourcedefinition/${metadata.name}`);
  await kubectl(['wait', '--for=condition=Established', '--timeout=60s', ...names]);
}
