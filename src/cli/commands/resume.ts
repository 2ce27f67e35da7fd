import { suspendImport } from '../../app/cluster/change-import.ts';
import { changeCommand } from '../change-command.ts';

export const resumeCommand = changeCommand({
  name: 'resume',
  help: 'Let suspended imports of a cluster go on where they stopped.',
  examples: [['airlift resume web01 -w', 'go on, and follow it']],
  said: 'goes on',
  canFollow: true,
  change: (cluster, stored, _now, options) => suspendImport(cluster, stored, false, options),
});
