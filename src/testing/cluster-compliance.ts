import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { type ClusterUnderTest, ComplianceCase } from './cluster-compliance/compliance-case.ts';
import { describeApplying } from './cluster-compliance/describe-applying.ts';
import { describeChanging } from './cluster-compliance/describe-changing.ts';
import { describeDeleting } from './cluster-compliance/describe-deleting.ts';
import { describeReading } from './cluster-compliance/describe-reading.ts';
import { describeWatching } from './cluster-compliance/describe-watching.ts';

export {
  type ClusterUnderTest,
  conditionsByType,
  type Widget,
  widgetKind,
} from './cluster-compliance/compliance-case.ts';

/** What every implementation of the Cluster port has to do (docs/contracts/cluster.md). Opened once for all cases. */
export function describeCluster(name: string, open: () => Promise<ClusterUnderTest>): void {
  describe(name, () => {
    let opened: ClusterUnderTest | undefined;
    let current: ComplianceCase | undefined;
    let count = 0;
    const the = () => {
      if (current === undefined) throw new Error('a case is there only while a test runs');
      return current;
    };
    beforeAll(async () => {
      opened = await open();
    });
    beforeEach(() => {
      if (opened === undefined) throw new Error('the cluster was not opened');
      count += 1;
      current = new ComplianceCase(opened, `t${count}`);
    });
    afterAll(async () => await opened?.[Symbol.asyncDispose]());

    describeReading(the);
    describeChanging(the);
    describeApplying(the);
    describeDeleting(the);
    describeWatching(the);
  });
}
