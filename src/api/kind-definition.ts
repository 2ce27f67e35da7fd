import type { z } from 'zod';
import type { ResourceKind } from '../domain/kubernetes-object.ts';

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description?: string;
  /** 1: only with `-o wide`. */
  readonly priority?: number;
}

/** All that CRD and reference page say of a kind. */
export interface KindDefinition {
  readonly resource: ResourceKind;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly columns: readonly PrinterColumn[];
  /** Has the properties `spec` and `status`. */
  readonly schema: z.ZodObject;
  /** A paragraph for the reference page. */
  readonly summary: string;
}

export const AGE_COLUMN: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
