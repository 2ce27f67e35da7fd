import {
  type CustomResourceDefinition,
  customResourceDefinitionKind,
  customResourceDefinitions,
} from '../api/custom-resource-definition.ts';
import type { StructuralSchema } from '../api/structural-schema.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Cluster } from '../ports/cluster.ts';

export interface InstalledKindsSight {
  /** What is wrong with the definitions of our kinds, in a sentence without its full stop; undefined when nothing is. */
  readonly wrong: string | undefined;
  /** Whether the cluster does not let us look. */
  readonly isUnseen: boolean;
}

const MOST_SHOWN = 3;

/**
 * Whether the cluster has our kinds as this controller needs them. Those of another version, such as the old controller's, which it writes anew whenever it starts, drop the fields they do not
 * know without a word: progress would be written again and again and never be there. Fields that only they have are fine.
 * @throws ProblemError when the cluster cannot be asked
 */
export async function checkInstalledKinds(cluster: Cluster, options: CallOptions = {}): Promise<InstalledKindsSight> {
  const wrong: string[] = [];
  for (const needed of customResourceDefinitions()) {
    const { name } = needed.metadata;
    try {
      const problem = compare(needed, await cluster.get(customResourceDefinitionKind, { name }, options));
      if (problem !== undefined) wrong.push(`${name} ${problem}`);
    } catch (error) {
      if (!isProblem(error, 'ClusterForbidden')) throw error;
      return { wrong: undefined, isUnseen: true };
    }
  }
  return { wrong: wrong.length === 0 ? undefined : wrong.join('; '), isUnseen: false };
}

function compare(needed: CustomResourceDefinition, found: CustomResourceDefinition | undefined): string | undefined {
  if (found === undefined) return 'is not installed';
  const [version] = needed.spec?.versions ?? [];
  const there = found.spec?.versions.find(({ name }) => name === version?.name);
  const versions = found.spec?.versions.map(({ name }) => name).join(', ');
  if (there === undefined) return `has ${versions}, not ${version?.name}`;
  if (!there.served) return `does not serve ${there.name}`;
  if (there.subresources?.status === undefined) return 'has no subresource status';
  const missing = [...missingFields(version?.schema?.openAPIV3Schema, there.schema?.openAPIV3Schema, '')];
  if (missing.length === 0) return undefined;
  const more = missing.length > MOST_SHOWN ? ` and ${missing.length - MOST_SHOWN} more` : '';
  return `is of another version and has no ${missing.slice(0, MOST_SHOWN).join(', ')}${more}`;
}

/** Paths such as `status.progress`; what is below one that is missing is not named again. */
function* missingFields(
  needed: StructuralSchema | undefined,
  found: (StructuralSchema & { readonly 'x-kubernetes-preserve-unknown-fields'?: boolean }) | undefined,
  path: string,
): Generator<string, void> {
  if (found?.['x-kubernetes-preserve-unknown-fields'] === true) return;
  if (needed?.items !== undefined) yield* missingFields(needed.items, found?.items, path);
  for (const [name, field] of Object.entries(needed?.properties ?? {})) {
    const at = path === '' ? name : `${path}.${name}`;
    const there = found?.properties?.[name];
    if (there === undefined) yield at;
    else yield* missingFields(field, there, at);
  }
}
