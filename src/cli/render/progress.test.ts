import { describe, expect, test } from 'vitest';
import type { DiskDisplay, Display, ImportProgress } from '../../app/import-progress.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { type Io, noPaint } from '../io.ts';
import { ProgressView } from './progress.ts';
import { textWidth } from './text-width.ts';

const MIB = 1024 ** 2;

/** Draws as a terminal would: a grid of lines, a cursor, and the three control sequences in use. */
class Screen implements Io {
  readonly lines: string[] = [''];
  readonly notes: string[] = [];
  readonly drawn: string[] = [];
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly paint = noPaint;
  #row = 0;

  constructor(options: { readonly isTerminal: boolean; readonly columns?: number }) {
    this.isTerminal = options.isTerminal;
    this.columns = options.columns ?? 100;
  }

  print(text: string): void {
    this.#write(`${text}\n`);
  }
  note(text: string): void {
    this.notes.push(text);
    this.#write(`${text}\n`);
  }
  complain(text: string): void {
    this.#write(`${text}\n`);
  }
  draw(text: string): void {
    this.drawn.push(text);
    this.#write(text);
  }

  get text(): string {
    return this.lines.join('\n').trimEnd();
  }

  #write(text: string): void {
    for (const [part] of text.replaceAll('\u001b', '␛').matchAll(/␛\[\d*[FKJ]|\n|[^␛\n]+/g)) {
      const control = /^␛\[(\d*)([FKJ])$/.exec(part);
      if (control?.[2] === 'F') this.#row -= Number(control[1]);
      else if (control?.[2] === 'J') this.lines.length = this.#row + 1;
      else if (control?.[2] === 'K') continue;
      else if (part === '\n') this.#row += 1;
      else this.lines[this.#row] = part;
      if (this.#row < 0) throw new Error('the cursor left the screen');
      this.lines[this.#row] ??= '';
      if (control?.[2] === 'J') this.lines[this.#row] = '';
    }
  }
}

function disk(index: number, phase: DiskDisplay['phase'], display: Partial<Display> = {}): DiskDisplay {
  const unknown = { doneBytes: 0, totalBytes: undefined, bytesPerSecond: undefined, etaMs: undefined };
  return { index, name: `disk-${index}.qcow2`, phase, ...unknown, ...display };
}

const moving = { doneBytes: 300 * MIB, totalBytes: 1024 * MIB, bytesPerSecond: 150 * MIB, etaMs: 125_000 };
const twoDisks: ImportProgress = {
  disks: [disk(0, 'copy', moving), disk(1, 'waiting', { totalBytes: 512 * MIB })],
  overall: { ...moving, totalBytes: 1536 * MIB, etaMs: 600_000 },
};

describe('on a terminal', () => {
  test.each([80, 120])('a line per disk and one for all, in %i columns', (columns) => {
    const screen = new Screen({ isTerminal: true, columns });
    new ProgressView(screen, new FakeClock()).update(twoDisks);
    expect(screen.text).toMatchSnapshot();
    expect(Math.max(...screen.lines.map(textWidth))).toBeLessThan(columns);
  });

  test('lines are drawn over in place, at most five times a second, and gone at the end', () => {
    const screen = new Screen({ isTerminal: true });
    const clock = new FakeClock();
    const view = new ProgressView(screen, clock);
    screen.print('before');
    for (let step = 0; step < 100; step += 1) {
      view.update(twoDisks);
      clock.ms += 20;
    }
    expect(screen.drawn).toHaveLength(10);
    expect(screen.lines.filter((line) => line.startsWith('disk-0'))).toHaveLength(1);
    view.end();
    screen.print('after');
    expect(screen.text).toBe('before\nafter');
  });

  test('a remark stands above the lines, which go on below it', () => {
    const screen = new Screen({ isTerminal: true });
    const view = new ProgressView(screen, new FakeClock());
    view.update(twoDisks);
    view.remark('reading the first 2 GiB again\u001b[2J');
    expect(screen.lines[0]).toBe('reading the first 2 GiB again\\u{1b}[2J');
    expect(screen.lines.filter((line) => line.startsWith('disk-0'))).toHaveLength(1);
  });

  test('a long remark breaks between words', () => {
    const screen = new Screen({ isTerminal: true, columns: 40 });
    new ProgressView(screen, new FakeClock()).remark('Failed, VolumeNotWritable: /disk may not be written (EACCES)');
    expect(screen.lines.slice(0, 2)).toEqual(['Failed, VolumeNotWritable: /disk may', '  not be written (EACCES)']);
  });

  test('phases without numbers are words; when all is copied, the line for all says so', () => {
    const screen = new Screen({ isTerminal: true });
    const verifying = disk(1, 'verify', { doneBytes: 5 * MIB, totalBytes: 50 * MIB });
    new ProgressView(screen, new FakeClock()).update({
      disks: [disk(0, 'finish'), verifying],
      overall: { ...moving, doneBytes: 1024 * MIB },
    });
    expect(screen.text).toMatchInlineSnapshot(`
      "disk-0.qcow2  finishing
      disk-1.qcow2  verifying [==.................] 10 %, 5 MiB of 50 MiB
      all disks     copied    [===================] 100 %, 1 GiB of 1 GiB"
    `);
  });

  test('of sixty disks only those at work have a line: lines above the screen could not be drawn over', () => {
    const screen = new Screen({ isTerminal: true });
    const disks = Array.from({ length: 60 }, (_, index) =>
      index < 10 ? disk(index, 'done') : index === 10 ? disk(index, 'copy', moving) : disk(index, 'waiting'),
    );
    new ProgressView(screen, new FakeClock()).update({ disks, overall: moving });
    expect(screen.text.split('\n')).toHaveLength(2);
    expect(screen.lines[1]).toContain('all, 10 of 60 done');
  });

  test('a name from a report cannot drive the terminal', () => {
    const screen = new Screen({ isTerminal: true });
    new ProgressView(screen, new FakeClock()).update({
      disks: [{ ...disk(0, 'verify'), name: '\u001b[2J' }],
      overall: moving,
    });
    expect(screen.drawn.join('')).not.toContain('\u001b[2J');
  });
});

describe('elsewhere', () => {
  test('a plain line every ten seconds, none before', () => {
    const screen = new Screen({ isTerminal: false });
    const clock = new FakeClock();
    const view = new ProgressView(screen, clock);
    for (let second = 0; second < 35; second += 1) {
      view.update(twoDisks);
      clock.ms += 1000;
    }
    view.end();
    expect(screen.notes).toHaveLength(3);
    expect(screen.notes[0]).toBe('copying: 19 %, 300 MiB of 1.5 GiB, 150 MiB/s, 10 min 00 s left');
    expect(screen.drawn).toEqual([]);
  });

  test.each([
    [disk(0, 'verify', { doneBytes: 5 * MIB, totalBytes: 50 * MIB }), 'verifying disk-0.qcow2: 10 %, 5 MiB of 50 MiB'],
    [disk(0, 'finish'), 'finishing disk-0.qcow2'],
  ])('says what is going on when it is not copying', (each, line) => {
    const screen = new Screen({ isTerminal: false });
    const clock = new FakeClock();
    const view = new ProgressView(screen, clock);
    clock.ms += 10_000;
    view.update({ disks: [each], overall: moving });
    expect(screen.notes).toEqual([line]);
  });

  test('bytes alone where nobody knows the total', () => {
    const screen = new Screen({ isTerminal: false });
    const clock = new FakeClock();
    const view = new ProgressView(screen, clock);
    clock.ms += 10_000;
    view.update({ disks: [disk(0, 'copy')], overall: { ...moving, totalBytes: undefined, etaMs: undefined } });
    expect(screen.notes).toEqual(['copying: 300 MiB, 150 MiB/s']);
  });
});
