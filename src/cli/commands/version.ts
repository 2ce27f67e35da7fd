import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { renderData } from '../render/data.ts';
import { renderTable } from '../render/table.ts';
import { outputFlag } from '../shared-flags.ts';

export const versionCommand = defineCommand({
  name: 'version',
  help: 'Show the version of Airlift and of what it stands on.',
  positionals: [],
  flags: outputFlag,
  examples: [['airlift version', 'for a problem report']],
  async run({ flags, services, io }) {
    const versions = services.versions();
    io.print(renderData(versions, flags.output, () => renderTable(Object.entries(versions), io)));
    return ExitCode.ok;
  },
});
