import { describe, expect, test } from 'vitest';
import type { BenchResult } from '../app/bench-transfer.ts';
import type { ImportOutcome } from '../app/import-parts.ts';
import type { ImportPlan } from '../app/import-plan.ts';
import type { OpenSource, OpenTarget } from '../app/platforms.ts';
import type { DiskVerification } from '../app/verify-report.ts';
import type { Finding } from '../domain/finding.ts';
import { mapMachine } from '../domain/hardware-mapping.ts';
import type { Machine } from '../domain/machine.ts';
import { ProblemError } from '../domain/problems.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { aMachine, someOptions } from '../testing/kubevirt/sample-machines.ts';
import { ExitCode } from './exit-code.ts';
import { noPaint } from './io.ts';
import { type CliParts, commands, runCli } from './run-cli.ts';
import type { Services, SourceOptions } from './services.ts';

interface World {
  readonly machines?: readonly Machine[];
  readonly findings?: readonly Finding[];
  readonly findingsOf?: (machine: Machine) => readonly Finding[];
  /** Thrown by the n-th import. */
  readonly importErrors?: readonly unknown[];
  readonly openError?: (options: SourceOptions) => unknown;
  readonly verification?: readonly DiskVerification[] | Error;
  readonly files?: Readonly<Record<string, string>>;
  readonly answers?: readonly string[];
  readonly parts?: Partial<CliParts>;
  readonly environmentPassword?: string;
}

/** Runs a command line against fakes, and tells what was printed and done. */
async function run(argv: readonly string[], world: World = {}) {
  const machines = world.machines ?? [aMachine()];
  const seen = {
    out: '',
    err: '',
    questions: [] as string[],
    done: [] as string[],
    open: 0,
    measures: [] as number[][],
  };
  const answers = [...(world.answers ?? [])];
  const ask = async (question: string) => {
    seen.questions.push(question);
    return answers.shift() ?? '';
  };
  const source: OpenSource = {
    kind: 'ova',
    location: './app.ova',
    isStreamed: true,
    async *listMachines() {
      for (const { id, name } of machines) yield { id, name, diskCount: 1, virtualSizeBytes: 0 };
    },
    async inspect(ref) {
      const machine = ref === undefined ? machines[0] : machines.find(({ id, name }) => id === ref || name === ref);
      if (machine === undefined) throw new ProblemError('MachineNotFound', `there is no machine "${ref}"`);
      return machine;
    },
    async *preflight() {},
    openDisk: () => Promise.reject(new Error('nobody should open a disk here')),
    async [Symbol.asyncDispose]() {
      seen.open -= 1;
    },
  };
  const target: OpenTarget = {
    kind: 'dir',
    location: 'dir:/srv/out?format=qcow2',
    diskFormat: 'qcow2',
    async *preflight() {},
    openMachine: () => Promise.reject(new Error('nobody should open a machine here')),
    [Symbol.asyncDispose]: async () => {},
  };
  const services: Services = {
    prepareTransfers: ({ lanes, connections }) => {
      if (lanes !== undefined || connections !== undefined) seen.done.push(`limits ${lanes} ${connections}`);
      seen.open += 1;
      return {
        [Symbol.asyncDispose]: async () => {
          seen.open -= 1;
        },
      };
    },
    async openSource(location, options) {
      seen.done.push(`open ${location} as ${options.user ?? 'nobody'}:${options.password ?? ''}`);
      const error = world.openError?.(options);
      if (error !== undefined) throw error;
      seen.open += 1;
      return source;
    },
    async openTarget({ dir, device }) {
      seen.done.push(
        dir === undefined ? `target ${device.paths}` : `target ${dir.folder} ${dir.format} ${dir.compression}`,
      );
      return target;
    },
    async planImport(_, to, options) {
      const { measure } = options;
      if (measure !== undefined) seen.measures.push([measure.maxMs, measure.minDataBytes ?? 0]);
      const machine = await source.inspect(options.machine);
      return planOf(machine, to, options.targetName, world.findingsOf?.(machine) ?? world.findings ?? []);
    },
    async importMachine(_, __, plan, { verify, restart, rateLimiter }) {
      const count = seen.done.filter((each) => each.startsWith('import')).length;
      seen.done.push(
        `import ${plan.targetName} ${verify}${restart ? ' restart' : ''}${rateLimiter === undefined ? '' : ' slowly'}`,
      );
      const error = world.importErrors?.[count];
      if (error !== undefined) throw error;
      return outcomeOf(plan);
    },
    async benchTransfer(from, to, { machine, maxMs }) {
      seen.done.push(`bench ${from.location} ${to.location} ${machine ?? ''} ${maxMs}`);
      return benchResult;
    },
    async verifyReport(path, { source: again, rateLimiter }) {
      seen.done.push(
        `verify ${path}${again === undefined ? '' : ' with source'}${rateLimiter === undefined ? '' : ' slowly'}`,
      );
      if (world.verification instanceof Error) throw world.verification;
      return world.verification ?? [];
    },
    versions: () => ({ airlift: '1.2.3', node: 'v24.0.0', hashes: 'libcrypto' }),
    async readTextFile(path) {
      const text = world.files?.[path];
      if (text === undefined) throw new ProblemError('SourceNotFound', `cannot read ${path}: ENOENT`);
      return text;
    },
    openCluster: () => Promise.reject(new Error('nobody should open a cluster here')),
    locateFile: () => Promise.reject(new Error('nobody should look for a file here')),
    openUpload: () => Promise.reject(new Error('nobody should upload here')),
    readInput: () => Promise.reject(new Error('nobody should read standard input here')),
    passwordFromEnvironment: world.environmentPassword,
  };
  const exitCode = await runCli(argv, {
    services,
    io: {
      print: (text) => {
        seen.out += text === '' ? '' : `${text}\n`;
      },
      note: (text) => {
        seen.err += `${text}\n`;
      },
      complain: (text) => {
        seen.err += `${text}\n`;
      },
      draw: () => {},
      isTerminal: false,
      columns: 100,
      paint: noPaint,
      ...(world.answers === undefined ? {} : { ask, askSecret: ask }),
    },
    clock: new FakeClock(),
    signal: new AbortController().signal,
    isDebug: false,
    ...world.parts,
  });
  return { exitCode, ...seen };
}

const second = { bytes: 1_000_000, ms: 1_000 };
const benchResult: BenchResult = {
  source: './app.ova',
  target: 'dir:/srv/out?format=qcow2',
  machine: { id: 'vm-1', name: 'web' },
  disk: { id: 'd', name: 'Hard disk 1' },
  rates: { read: second, decode: second, hash: second, lanes: 2, expansion: 2 },
  targetRates: { write: second, readBack: second },
  limitedBy: 'read',
  copyBytesPerSecond: 2_000_000,
};

function planOf(
  machine: Machine,
  target: OpenTarget | undefined,
  targetName: string | undefined,
  findings: readonly Finding[],
): ImportPlan {
  const name = targetName ?? machine.name;
  const mapped = mapMachine(machine, someOptions({ targetName: name }));
  return {
    source: './app.ova',
    target: target?.location,
    machine,
    targetName: name,
    mapped,
    disks: [],
    findings,
    dataBytes: 0,
    virtualSizeBytes: 0,
  };
}

function outcomeOf({ machine, targetName, source }: ImportPlan): ImportOutcome {
  return {
    location: `/srv/out/${targetName}`,
    report: {
      kind: 'AirliftImportReport',
      version: 1,
      airliftVersion: '1.2.3',
      source,
      target: 'dir:/srv/out?format=qcow2',
      machine: { id: machine.id, name: machine.name },
      targetName,
      startedAt: '2026-01-01T00:00:00.000Z',
      finishedAt: '2026-01-01T00:01:00.000Z',
      verify: 'readback',
      disks: [],
      fidelity: [],
      findings: [],
    },
  };
}

const importArgs = ['import', 'app.ova', '--to', 'dir:./out'];
const warning: Finding = { severity: 'warning', code: 'GuestMayNotBoot', message: 'web01 may not boot.' };
const blocker: Finding = { severity: 'blocker', code: 'TargetExists', message: '/srv/out/web exists already' };
const web = aMachine({ id: 'vm-1', name: 'web' });
const database = aMachine({ id: 'vm-2', name: 'db' });

describe('help', () => {
  test.each([['airlift', []] as const, ...commands.map(({ name }) => [name, [name]] as const)])(
    'of %s',
    async (_, argv) => {
      const { exitCode, out, err } = await run([...argv, '--help']);
      expect(exitCode).toBe(ExitCode.ok);
      expect(err).toBe('');
      expect(out).toMatchSnapshot();
    },
  );

  test('is also the answer to nothing and to `help import`', async () => {
    expect((await run([])).out).toBe((await run(['--help'])).out);
    expect((await run(['help', 'import'])).out).toBe((await run(['import', '--help'])).out);
  });

  test('is no wider than the terminal', async () => {
    const { out } = await run(['import', '--help']);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });
});

describe('wrong usage ends with 2 and a hint', () => {
  test.each([
    [['imprt'], 'Did you mean import?'],
    [['import', 'a.ova', '--too', 'dir:./out'], 'Did you mean --to?'],
    [['import', 'a.ova'], 'import needs --to <target>'],
    [['import', '--to', 'dir:./out'], "missing required argument 'source'"],
    [['plan', 'a.ova', '-o', 'xml'], 'Allowed choices are table, json, yaml'],
    [['verify', 'a', 'b'], 'too many arguments'],
    [['completion', 'tcsh'], 'there are bash, zsh, fish'],
    [[...importArgs, '--name', 'A B'], '"a-b" would be'],
    [[...importArgs, '--network', 'x'], '--network wants'],
    [[...importArgs, '--all', '--name', 'a'], '--name names one machine'],
    [[...importArgs, 'web', '--all'], '--all takes every machine'],
  ])('%j', async (argv, part) => {
    const { exitCode, err, out, done } = await run(argv, { machines: [web, database] });
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toContain(part);
    expect(err).toMatch(/--help (shows what it takes|lists the commands)/);
    expect(out).toBe('');
    expect(done.filter((each) => each.startsWith('import'))).toEqual([]);
  });
});

describe('import', () => {
  test('does it and prints the result', async () => {
    const { exitCode, out, done, open } = await run([...importArgs, '--verify', 'none', '--restart']);
    expect(exitCode).toBe(ExitCode.ok);
    expect(done).toEqual(['target ./out qcow2 none', 'open app.ova as nobody:', 'import web01 none restart']);
    expect(out).toContain('web01: imported and verified\n  in /srv/out/web01');
    expect(open).toBe(0);
  });

  test('a blocker stops it with 3 before anything is done, with its remedy, without a question', async () => {
    const { exitCode, err, done, questions } = await run(importArgs, { findings: [blocker, warning], answers: ['y'] });
    expect(exitCode).toBe(ExitCode.blocked);
    expect(err).toMatchInlineSnapshot(`
      "blocker  TargetExists: /srv/out/web exists already
               -> Choose another name with \`--name\`, another folder, or remove the existing one.
      warning  GuestMayNotBoot: web01 may not boot.
               -> Compare the bus in the plan with the drivers of the guest, choose another with
               \`--disk-bus\`, on a cluster with \`spec.disks[].bus\`, where they do not fit, and keep the
               original until the copy has started once.
      Nothing was imported.
      "
    `);
    expect(done.at(-1)).toBe('open app.ova as nobody:');
    expect(questions).toEqual([]);
  });

  test.each([
    ['y', ExitCode.ok],
    ['YES ', ExitCode.ok],
    ['', ExitCode.blocked],
    ['no', ExitCode.blocked],
    ['yesterday', ExitCode.blocked],
  ])('warnings are asked about on a terminal: %j ends with %i', async (answer, expected) => {
    const { exitCode, questions } = await run(importArgs, { findings: [warning], answers: [answer] });
    expect(questions).toEqual(['Import web01 all the same? [y/N] ']);
    expect(exitCode).toBe(expected);
  });

  test.each([
    ['with --yes', [...importArgs, '--yes'], { answers: [] }],
    ['without a terminal', importArgs, {}],
  ])('warnings are told and not asked about %s', async (_, argv, world) => {
    const { exitCode, err, questions } = await run(argv, { findings: [warning], ...world });
    expect(exitCode).toBe(ExitCode.ok);
    expect(err).toContain('web01 may not boot');
    expect(questions).toEqual([]);
  });

  test('a note alone is not worth a word', async () => {
    const { err } = await run(importArgs, { findings: [{ severity: 'note', code: 'HardwareDropped', message: 'x' }] });
    expect(err).toBe('');
  });

  test('--quiet leaves results and problems', async () => {
    const quiet = await run(['--quiet', ...importArgs], { findings: [warning] });
    expect(quiet.err).toBe('');
    expect(quiet.out).not.toBe('');
    expect((await run([...importArgs, '--quiet'], { findings: [blocker] })).err).toContain('TargetExists');
  });

  test('a network that no card is on is most likely misspelt, and said', async () => {
    const { err } = await run([...importArgs, '--network', 'VM Netwrk=default/a']);
    expect(err).toContain('no card is on the network "VM Netwrk"');
  });

  test('JSON for scripts, alone on stdout', async () => {
    const { out } = await run([...importArgs, '-o', 'json'], { findings: [warning] });
    expect(JSON.parse(out)).toMatchObject({
      imports: [{ location: '/srv/out/web01', report: { kind: 'AirliftImportReport' } }],
      finishedBefore: [],
    });
  });
});

describe('limits of an import', () => {
  test('rate, lanes and connections are handed on', async () => {
    const limits = ['--max-rate', '150MB', '--lanes', '8', '--connections', '4'];
    const { exitCode, done } = await run([...importArgs, ...limits]);
    expect(exitCode).toBe(ExitCode.ok);
    expect(done).toContain('limits 8 4');
    expect(done.at(-1)).toBe('import web01 readback slowly');
  });

  test.each([
    ['--max-rate', '150Mb', 'rates are in bytes'],
    ['--lanes', '0', 'from 1 to 64'],
    ['--lanes', 'x', 'from 1 to 64'],
    ['--connections', '17', 'from 1 to 16'],
  ])('%s %s is wrong usage', async (flag, value, what) => {
    const { exitCode, err } = await run([...importArgs, flag, value]);
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toContain(what);
  });
});

describe('import of several machines', () => {
  const machines = [web, database];
  const finishedDb = JSON.stringify(outcomeOf(planOf(database, undefined, 'db', [])).report);

  test('named ones, or all', async () => {
    for (const argv of [
      [...importArgs, 'web', 'db'],
      [...importArgs, '--all'],
    ]) {
      const { exitCode, done, out } = await run(argv, { machines });
      expect(exitCode).toBe(ExitCode.ok);
      expect(done.slice(2)).toEqual(['import web readback', 'import db readback']);
      expect(out).toContain('in /srv/out/web\n');
      expect(out).toContain('in /srv/out/db\n');
    }
  });

  test('a blocker of the last one stops before the first is copied', async () => {
    const findingsOf = (machine: Machine) => (machine === database ? [blocker] : []);
    const { exitCode, done } = await run([...importArgs, '--all'], { machines, findingsOf });
    expect(exitCode).toBe(ExitCode.blocked);
    expect(done.filter((each) => each.startsWith('import'))).toEqual([]);
  });

  test('two that would have the same name are refused', async () => {
    const { exitCode, err } = await run([...importArgs, '--all'], { machines: [web, { ...database, name: 'web' }] });
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toContain('"web" (id vm-1) and "web" (id vm-2) would both become "web"');
  });

  test('when the second fails, the first is in the results all the same', async () => {
    const importErrors = [undefined, new ProblemError('TargetFull', '/srv has 3 MiB free; 10 GiB are needed')];
    const { exitCode, out, err } = await run([...importArgs, '--all', '-o', 'json'], { machines, importErrors });
    expect(exitCode).toBe(ExitCode.problem);
    expect(JSON.parse(out).imports).toHaveLength(1);
    expect(err).toContain('airlift import app.ova --to dir:./out --all -o json');
  });

  test('when several fail, each is told with its remedy, and a difference found decides the exit code', async () => {
    const importErrors = [
      new ProblemError('VerificationFailed', 'disk-0.qcow2 differs in bytes 0 to 4194303'),
      new ProblemError('TargetFull', '/srv has 3 MiB free; 10 GiB are needed'),
    ];
    const { exitCode, err } = await run([...importArgs, '--all'], { machines, importErrors });
    expect(exitCode).toBe(ExitCode.different);
    expect(err).toMatch(/web\nerror VerificationFailed[\s\S]*db\nerror TargetFull/);
  });

  // The same command after an interruption used to be blocked by the machines that it had finished before.
  test('run again, it passes over machines that an earlier run finished', async () => {
    const findingsOf = (machine: Machine) => (machine === database ? [blocker] : []);
    const files = { 'out/db/report.json': finishedDb };
    const { exitCode, done, err } = await run([...importArgs, '--all'], { machines, findingsOf, files });
    expect(exitCode).toBe(ExitCode.ok);
    expect(done.filter((each) => each.startsWith('import'))).toEqual(['import web readback']);
    expect(err).toContain('db was finished by an earlier run, in out/db');
  });

  test.each([
    ['of another machine', finishedDb.replace('vm-2', 'vm-9')],
    ['of another source', finishedDb.replace('./app.ova', './other.ova')],
    ['that is no report', '{}'],
    ['that is no JSON', 'x'],
  ])('but not over a report %s', async (_, text) => {
    const findingsOf = (machine: Machine) => (machine === database ? [blocker] : []);
    const { exitCode } = await run([...importArgs, '--all'], {
      machines,
      findingsOf,
      files: { 'out/db/report.json': text },
    });
    expect(exitCode).toBe(ExitCode.blocked);
  });
});

describe('a problem ends with 1 and its remedy', () => {
  test('one that may pass names the command that continues', async () => {
    const { exitCode, err, open } = await run(importArgs, {
      importErrors: [new ProblemError('SourceClosedEarly', 'host closed at byte 1000 of 2000')],
    });
    expect(exitCode).toBe(ExitCode.problem);
    expect(open).toBe(0);
    expect(err).toMatchInlineSnapshot(`
      "error SourceClosedEarly: The server closed the connection before all bytes had come.
        host closed at byte 1000 of 2000
        -> Run the same command again; it continues where it stopped.
           airlift import app.ova --to dir:./out
      "
    `);
  });

  test('one that needs a new beginning names that command', async () => {
    const importErrors = [new ProblemError('SourceChanged', 'app.ova was 5 bytes long and is 6 now')];
    expect((await run(importArgs, { importErrors })).err).toContain(
      'airlift import app.ova --to dir:./out --restart\n',
    );
  });

  test('one that no retry can cure names none', async () => {
    const importErrors = [new ProblemError('DiskImageCorrupt', 'grain 5')];
    const { exitCode, err } = await run(importArgs, { importErrors });
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).not.toContain('airlift import');
  });

  test('a command line with a secret is not repeated', async () => {
    const importErrors = [new ProblemError('SourceStalled', 'nothing for 60 s')];
    const argv = ['import', 'https://host/a.ova?token=secret', '--to', 'dir:./out'];
    expect((await run(argv, { importErrors })).err).not.toContain('secret');
  });

  test('a target that is none', async () => {
    const { exitCode, err } = await run(['import', 'a.ova', '--to', './out']);
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('write dir:./out');
  });

  test('with --debug also where it comes from', async () => {
    const importErrors = [new ProblemError('SourceStalled', 'x', { cause: new RangeError('deeper') })];
    const { err } = await run([...importArgs, '--debug'], { importErrors });
    expect(err).toContain('run-cli.test.ts');
    expect(err).toContain('caused by RangeError: deeper');
    expect((await run(importArgs, { importErrors })).err).not.toContain('run-cli.test.ts');
  });

  test('a bug asks for a report', async () => {
    const { exitCode, err } = await run(importArgs, { importErrors: [new TypeError('x is undefined')] });
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('Airlift met a situation it should not: TypeError: x is undefined');
    expect(err).not.toContain('run-cli.test.ts');
  });
});

describe('interrupted', () => {
  const interrupted = new ProblemError('Interrupted', 'stopped by Ctrl-C');

  test('an import ends with 130 and the command that continues', async () => {
    const { exitCode, err } = await run([...importArgs, 'my vm'], {
      machines: [aMachine({ name: 'my vm' })],
      importErrors: [interrupted],
    });
    expect(exitCode).toBe(ExitCode.interrupted);
    expect(err).toContain("     airlift import app.ova --to dir:./out 'my vm'\n");
  });

  test('as the program is called, also by npm', async () => {
    const { err } = await run(importArgs, { importErrors: [interrupted], parts: { programName: 'npm start --' } });
    expect(err).toContain('     npm start -- import app.ova --to dir:./out\n');
  });

  test('whatever the interrupted call makes of the signal', async () => {
    const error = Object.assign(new Error('aborted'), { name: 'AbortError' });
    const parts = { signal: AbortSignal.abort(interrupted) };
    expect((await run(importArgs, { importErrors: [error], parts })).exitCode).toBe(ExitCode.interrupted);
  });

  test('a command that changes nothing just stops', async () => {
    const { exitCode, err } = await run(['verify', 'report.json'], { verification: interrupted });
    expect(exitCode).toBe(ExitCode.interrupted);
    expect(err).toBe('Stopped; nothing was changed.\n');
  });
});

describe('verify', () => {
  const identical: DiskVerification = { file: 'disk-0.qcow2', status: 'identical', differences: [] };
  const different: DiskVerification = { ...identical, status: 'different', differences: [{ offset: 0, length: 512 }] };
  const unverifiable: DiskVerification = { ...identical, status: 'unverifiable', reason: 'gone' };

  test.each([
    ['all the same', [identical], ExitCode.ok],
    ['a difference', [identical, different, unverifiable], ExitCode.different],
    ['something not looked at', [identical, unverifiable], ExitCode.unknown],
  ])('%s', async (_, verification, expected) => {
    const { exitCode, out, done } = await run(['verify', 'out/report.json', '-o', 'json'], { verification });
    expect(exitCode).toBe(expected);
    expect(done).toEqual(['verify out/report.json']);
    expect(JSON.parse(out)).toEqual({ disks: verification });
  });

  test.each([
    ['the source', [{ ...identical, source: different }], ExitCode.different, 'the source changed since'],
    ['both', [{ ...different, source: different }], ExitCode.different, 'the source changed since'],
    ['both', [{ ...different, source: different }], ExitCode.different, 'Do not use this disk'],
    ['neither, but the source was not looked at', [{ ...identical, source: unverifiable }], ExitCode.unknown, ''],
    ['neither', [{ ...identical, source: identical }], ExitCode.ok, ''],
  ])('with the source again: %s', async (_, verification, expected, told) => {
    const { exitCode, err, done, open } = await run(['verify', 'r.json', '--source', 'app.ova'], { verification });
    expect(exitCode).toBe(expected);
    expect(err).toContain(told);
    if (expected !== ExitCode.different) expect(err).toBe('');
    expect(done).toEqual(['open app.ova as nobody:', 'verify r.json with source']);
    expect(open).toBe(0);
  });

  test('a source that changed does not make the import a bad one', async () => {
    const { err } = await run(['verify', 'r', '--source', 'a.ova'], {
      verification: [{ ...identical, source: different }],
    });
    expect(err).not.toContain('Do not use this disk');
  });

  test('reads no faster than it may', async () => {
    expect((await run(['verify', 'r', '--max-rate', '150MB'])).done).toEqual(['verify r slowly']);
    const wrong = await run(['verify', 'r', '--max-rate', 'fast']);
    expect(wrong).toMatchObject({ exitCode: ExitCode.usage, done: [] });
  });

  test('a difference comes with what to do', async () => {
    const { err } = await run(['verify', 'r'], { verification: [different] });
    expect(err).toContain('Do not use this disk');
  });

  test('a difference found while importing ends with 4 as well', async () => {
    const importErrors = [new ProblemError('VerificationFailed', 'disk-0.qcow2 differs at byte 512')];
    expect((await run(importArgs, { importErrors })).exitCode).toBe(ExitCode.different);
  });
});

describe('plan and inspect', () => {
  test.each([
    [[], ExitCode.ok],
    [[warning], ExitCode.ok],
    [[blocker], ExitCode.blocked],
  ])('plan with %j', async (findings, expected) => {
    const { exitCode, out, done } = await run(['plan', 'app.ova'], { findings });
    expect(exitCode).toBe(expected);
    expect(out).toContain('Nothing was changed.');
    expect(done).toEqual(['open app.ova as nobody:']);
  });

  test('plan takes its time to measure; an import only where a second does not count, and one machine alone', async () => {
    expect((await run(['plan', 'app.ova'])).measures).toEqual([[5_000, 0]]);
    expect((await run(importArgs)).measures).toEqual([[1_000, 16 * 1024 ** 3]]);
    expect((await run([...importArgs, '--all'], { machines: [web, database] })).measures).toEqual([]);
  });

  test('plan looks at the target when asked to', async () => {
    const { done } = await run(['plan', 'app.ova', '--to', 'dir:/x?compression=zstd']);
    expect(done).toContain('target /x qcow2 zstd');
  });

  test('inspect shows all machines or the one named', async () => {
    const machines = [web, database];
    expect(JSON.parse((await run(['inspect', 'a.ova', '-o', 'json'], { machines })).out).machines).toHaveLength(2);
    const { out } = await run(['inspect', 'a.ova', 'db'], { machines });
    expect(out).toContain('db (id vm-2)');
    expect(out).not.toContain('web');
  });

  test('a name that is not there', async () => {
    const { exitCode, err } = await run(['inspect', 'a.ova', 'nobody']);
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('MachineNotFound');
  });
});

describe('passwords', () => {
  const openError = ({ password }: SourceOptions) =>
    password === 'right' ? undefined : new ProblemError('SourceAuthRequired', 'host asks for credentials');

  test('come from a file, before the environment', async () => {
    const world = { openError, files: { pw: 'right\nrest' }, environmentPassword: 'wrong' };
    const { exitCode, done } = await run(
      ['inspect', 'https://h/a.ova', '--user', 'kim', '--password-file', 'pw'],
      world,
    );
    expect(exitCode).toBe(ExitCode.ok);
    expect(done).toEqual(['open https://h/a.ova as kim:right']);
  });

  test('come from the environment', async () => {
    const { exitCode } = await run(['inspect', 'https://kim@h/a.ova'], { openError, environmentPassword: 'right' });
    expect(exitCode).toBe(ExitCode.ok);
  });

  test.each([
    ['https://h/a.ova', ['kim', 'right'], ['User: ', 'Password: ']],
    ['https://kim@h/a.ova', ['right'], ['Password: ']],
  ])('are asked for on a terminal when %s wants one', async (address, answers, questions) => {
    const { exitCode, questions: asked } = await run(['inspect', address], { openError, answers });
    expect(exitCode).toBe(ExitCode.ok);
    expect(asked).toEqual(questions);
  });

  test('are asked for once, and not where one was given or nobody is there', async () => {
    const wrong = await run(['inspect', 'https://kim@h/a.ova'], { openError, answers: ['wrong', 'right'] });
    expect([wrong.exitCode, wrong.questions.length]).toEqual([ExitCode.problem, 1]);
    const given = await run(['inspect', 'https://kim@h/a.ova'], {
      openError,
      answers: ['x'],
      environmentPassword: 'wrong',
    });
    expect([given.exitCode, given.questions.length]).toEqual([ExitCode.problem, 0]);
    expect((await run(['inspect', 'https://kim@h/a.ova'], { openError })).exitCode).toBe(ExitCode.problem);
  });

  test('an empty file is no password', async () => {
    const { exitCode, err } = await run(['inspect', 'a', '--password-file', 'pw'], { files: { pw: '\n' } });
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toContain('the first line of pw is empty');
  });
});

test('version, as a table, as data and alone', async () => {
  expect((await run(['version'])).out).toBe('airlift  1.2.3\nnode     v24.0.0\nhashes   libcrypto\n');
  expect(JSON.parse((await run(['version', '-o', 'json'])).out)).toMatchObject({ hashes: 'libcrypto' });
  expect((await run(['--version'])).out).toBe('1.2.3\n');
});

test('completion prints a script', async () => {
  expect((await run(['completion', 'bash'])).out).toContain('complete -F _airlift airlift');
});

describe('bench', () => {
  const args = ['bench', 'app.ova', 'dir:/x'];

  test('measures for five seconds, or as long as told', async () => {
    const { exitCode, out, done, open } = await run(args);
    expect(exitCode).toBe(ExitCode.ok);
    expect(out).toContain('A copy is limited by the source');
    expect(done.at(-1)).toBe('bench ./app.ova dir:/srv/out?format=qcow2  5000');
    expect(open).toBe(0);
    expect((await run([...args, 'web', '--seconds', '0.5'])).done.at(-1)).toContain('web 500');
  });

  test('as JSON', async () => {
    const { out } = await run([...args, '-o', 'json']);
    expect(JSON.parse(out)).toMatchObject({ limitedBy: 'read', rates: { read: { bytesPerSecond: 1_000_000 } } });
  });

  test.each(['0', '-1', 'long', '601', '1e3', ''])('--seconds %j is no time', async (seconds) => {
    const { exitCode, done } = await run([...args, `--seconds=${seconds}`]);
    expect(exitCode).toBe(ExitCode.usage);
    expect(done).toEqual([]);
  });

  test('a target that is none', async () => {
    expect((await run(['bench', 'app.ova', './out'])).exitCode).toBe(ExitCode.problem);
  });
});
