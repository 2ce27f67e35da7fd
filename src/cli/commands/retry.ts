import { retryImport } from '../../app/cluster/change-import.ts';
import { changeCommand } from '../change-command.ts';

export const retryCommand = changeCommand({
  name: 'retry',
  help: 'Begin stalled or failed imports of a cluster anew.',
  examples: [['airlift retry web01 -w', 'once more, and follow it']],
  said: 'begins anew',
  canFollow: true,
  change: retryImport,
});
