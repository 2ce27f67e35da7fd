import type { Target } from '../ports/target.ts';

/** What a plan has to know of a target, whose machines may be opened elsewhere. */
export type PlannedTarget = Pick<Target, 'location' | 'diskFormat' | 'preflight' | 'openProbe'>;
