import { suspendImport } from '../../app/cluster/change-import.ts';
import { changeCommand } from '../change-command.ts';

export const suspendCommand = changeCommand({
  name: 'suspend',
  help: 'Stop the transfers of imports of a cluster where they are; what is written stays.',
  examples: [['airlift suspend web01', 'until `airlift resume web01`']],
  said: 'stops where it is',
  canFollow: false,
  change: (cluster, stored, _now, options) => suspendImport(cluster, stored, true, options),
});
