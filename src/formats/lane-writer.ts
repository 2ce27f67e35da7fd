import type { OpenLaneWriter } from '../ports/lane.ts';
import { openQcow2Lane } from './qcow2/qcow2-lane.ts';
import { openRawLane } from './raw/raw-lane.ts';

/** Opens the target in a lane, by what the DiskWriter told of it. @throws ProblemError `TargetNotWritable`, `TargetWriteFailed` */
export const openLaneWriter: OpenLaneWriter = (target, virtualSizeBytes) =>
  'raw' in target ? openRawLane(target.raw, virtualSizeBytes) : openQcow2Lane(target.qcow2, virtualSizeBytes);
