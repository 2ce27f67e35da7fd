import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { renderData } from '../render/data.ts';
import { outputFlag } from '../shared-flags.ts';

export const versionCommand = defineCommand({
  name: 'version',
  help: 'Show the version of Airlift and of what it stands on.',
  positionals: [],
  flags: outputFlag,
  examples: [['airlift version', 'for a problem report']],
  async run({ flags, services, io }) {
    io.print(
      renderData(services.versions(), flags.output, (versions) =>
        Object.entries(versions)
          .map(([name, version]) => `${name.padEnd(16)} ${version}`)
          .join('\n'),
      ),
    );
    return ExitCode.ok;
  },
});
