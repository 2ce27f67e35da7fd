import type { PersistentVolumeClaim, Pod } from '../../api/core-kinds.ts';
import { IMAGE_ID_ANNOTATION, IMPORT_UID_LABEL, VOLUME_CLAIM_TEMPLATES_ANNOTATION } from '../../api/literals.ts';
import type { VirtualMachine } from '../../api/platform-kinds.ts';
import type { ObjectRef } from '../../domain/kubernetes-object.ts';

/** Those that may use a volume or an image. */
export interface Users {
  readonly machines: readonly VirtualMachine[];
  readonly pods: readonly Pod[];
  readonly claims: readonly PersistentVolumeClaim[];
}

export interface DataInUse {
  hasVolume(claim: ObjectRef): boolean;
  hasImage(image: ObjectRef): boolean;
  /** Whether the machine that an import made is there. */
  hasMachineOf(importUid: string): boolean;
}

/** Which volumes and images somebody uses, and whose machines there are. */
export function dataInUse({ machines, pods, claims }: Users): DataInUse {
  const volumes = new Set<string>();
  const imports = new Set<string>();
  for (const { metadata, spec } of machines) {
    const { labels, annotations, namespace } = metadata;
    const importUid = labels?.[IMPORT_UID_LABEL];
    if (importUid !== undefined) imports.add(importUid);
    const mounted = spec?.template?.spec?.volumes?.flatMap(
      // A DataVolume's claim has the DataVolume's name.
      (volume) => volume.persistentVolumeClaim?.claimName ?? volume.dataVolume?.name ?? [],
    );
    for (const name of [...(mounted ?? []), ...claimsOfTemplates(annotations)]) volumes.add(keyOf({ namespace, name }));
  }
  for (const { metadata, spec, status } of pods) {
    if (status?.phase === 'Succeeded' || status?.phase === 'Failed') continue;
    for (const { persistentVolumeClaim } of spec?.volumes ?? [])
      if (persistentVolumeClaim)
        volumes.add(keyOf({ namespace: metadata.namespace, name: persistentVolumeClaim.claimName }));
  }
  const images = new Set(claims.flatMap(({ metadata }) => metadata.annotations?.[IMAGE_ID_ANNOTATION] ?? []));
  return {
    hasVolume: (claim) => volumes.has(keyOf(claim)),
    hasImage: (image) => images.has(keyOf(image)),
    hasMachineOf: (importUid) => imports.has(importUid),
  };
}

/** Harvester's own record of which volumes belong to a machine, mounted or not. */
function claimsOfTemplates(annotations: Readonly<Record<string, string>> | undefined): string[] {
  try {
    const templates: unknown = JSON.parse(annotations?.[VOLUME_CLAIM_TEMPLATES_ANNOTATION] ?? '[]');
    return Array.isArray(templates) ? templates.flatMap((each) => each?.metadata?.name ?? []) : [];
  } catch {
    // Anybody may write it; what the machine mounts is known without it.
    return [];
  }
}

function keyOf({ namespace, name }: ObjectRef): string {
  return `${namespace ?? ''}/${name}`;
}
