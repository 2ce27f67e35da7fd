import { type Applied, nameOfManifest } from '../../app/cluster/apply-manifest.ts';
import type { Io } from '../io.ts';
import { renderTable } from './table.ts';

/** What became of each object, a line each. */
export function renderApplied(applied: readonly Applied[], { columns }: Pick<Io, 'columns'>): string {
  return renderTable(
    applied.map((each) => [each.result, nameOfManifest(each)]),
    { columns },
  );
}

/** For machines. Secrets are named and not shown. */
export function appliedShape(applied: readonly Applied[]): object {
  return {
    objects: applied.map((each) => {
      const { namespace, name } = each.object.metadata;
      const facts = { kind: each.kind.kind, namespace, name, result: each.result };
      if (each.result === 'failed')
        return { ...facts, problem: { code: each.problem.code, message: each.problem.message } };
      return facts;
    }),
  };
}
