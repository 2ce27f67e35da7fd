import { IMPORT_UID_LABEL } from '../../../api/literals.ts';
import type { KubernetesObject } from '../../../domain/kubernetes-object.ts';
import type { ProblemCode } from '../../../domain/problems.ts';
import type { ImportSummary } from '../import-summary.ts';
import type { ImportObjects } from '../import-world.ts';

type Imports = Pick<ImportObjects, 'imports'>;

/** Why an object that has a name of ours is not ours. */
export interface Foreign {
  readonly code: ProblemCode;
  readonly message: string;
}

/**
 * Undefined for an object of the import itself. Something that another living import made is a conflict of the two; everything else is somebody's.
 * @param thing as a message names it, such as `claim "web-disk-0" in namespace "vms"`
 * @param otherwise the code for what no import made
 */
export function foreignTo(
  uid: string | undefined,
  { metadata }: KubernetesObject,
  thing: string,
  { objects, otherwise }: { readonly objects: Imports; readonly otherwise: ProblemCode },
): Foreign | undefined {
  const maker = metadata.labels?.[IMPORT_UID_LABEL];
  if (maker !== undefined && maker === uid) return undefined;
  const rival = maker === undefined ? undefined : findImport(objects, (each) => each.uid === maker);
  if (rival === undefined || rival.isFinished)
    return { code: otherwise, message: `there is a ${thing} that this import did not make` };
  return { code: 'ImportConflict', message: `${thing} is being made by import "${rival.name}"` };
}

/** Another import that has decided to make a machine of this name, and is not done with it. */
export function rivalFor(
  uid: string | undefined,
  machine: { readonly namespace: string | undefined; readonly name: string },
  objects: Imports,
): ImportSummary | undefined {
  return findImport(
    objects,
    (each) =>
      each.uid !== uid && !each.isFinished && each.targetName === machine.name && each.namespace === machine.namespace,
  );
}

function findImport(objects: Imports, isIt: (each: ImportSummary) => boolean): ImportSummary | undefined {
  for (const each of objects.imports()) if (isIt(each)) return each;
  return undefined;
}
