import { describeObject, type ObjectRef, type ResourceKind } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';

/** The answers of a server that does not do what it was asked for. */
export const refusals = {
  missing: (kind: ResourceKind, ref: ObjectRef) =>
    new ProblemError('ClusterObjectMissing', `${describeObject(kind, ref)} is not there`),
  exists: (kind: ResourceKind, ref: ObjectRef) =>
    new ProblemError('ClusterObjectExists', `${describeObject(kind, ref)} is there already`),
  conflict: (kind: ResourceKind, ref: ObjectRef, why: string) =>
    new ProblemError('ClusterConflict', `${describeObject(kind, ref)}: ${why}`),
  invalid: (kind: ResourceKind, ref: ObjectRef, why: string) =>
    new ProblemError('ClusterObjectInvalid', `${describeObject(kind, ref)}: ${why}`),
  kindMissing: ({ apiVersion, plural }: ResourceKind, part: 'object' | 'status') =>
    new ProblemError(
      'ClusterKindMissing',
      `the cluster has no ${plural}${part === 'status' ? '/status' : ''} of ${apiVersion}`,
    ),
};
