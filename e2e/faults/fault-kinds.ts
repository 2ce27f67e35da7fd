import type { FaultKind } from './fault-kind.ts';
import { fileFaults } from './file-faults.ts';
import { momentFaults } from './moment-faults.ts';
import { serverFaults } from './server-faults.ts';
import { sourceFaults } from './source-faults.ts';
import { targetFaults } from './target-faults.ts';

export const faultKinds: readonly FaultKind[] = [
  ...sourceFaults,
  ...serverFaults,
  ...targetFaults,
  ...momentFaults,
  ...fileFaults,
];
