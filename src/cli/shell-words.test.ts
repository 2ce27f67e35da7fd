import { expect, test } from 'vitest';
import { renderCommandLine } from './shell-words.ts';

test.each([
  [['import', 'app.ova', '--to', 'dir:./out'], 'airlift import app.ova --to dir:./out'],
  [['import', 'my app.ova', '--to', 'dir:out?format=raw'], "airlift import 'my app.ova' --to 'dir:out?format=raw'"],
  [
    ['import', "it's.ova", '--network', 'VM Network=default/a'],
    "airlift import 'it'\\''s.ova' --network 'VM Network=default/a'",
  ],
  [['import', '$(reboot).ova', ''], "airlift import '$(reboot).ova' ''"],
  [['import', 'https://kim@host/a.ova'], 'airlift import https://kim@host/a.ova'],
])('%j', (argv, line) => {
  expect(renderCommandLine('airlift', argv)).toBe(line);
});

test.each(['https://kim:secret@host/a.ova', 'https://host/a.ova?X-Amz-Signature=secret', 'HTTP://:pw@h/x'])(
  'a command line with %s is not shown: what is printed ends up in logs',
  (address) => {
    expect(renderCommandLine('airlift', ['import', address])).toBeUndefined();
  },
);
