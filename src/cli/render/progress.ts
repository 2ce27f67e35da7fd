import type { DiskDisplay, Display, ImportProgress } from '../../app/import-progress.ts';
import type { Clock } from '../../app/platforms.ts';
import { formatBytes, formatDuration } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';

const REDRAW_MS = 200;
const LINE_MS = 10_000;
const BAR_CELLS = 20;
const WORDS: Readonly<Record<DiskDisplay['phase'], string>> = {
  waiting: 'waiting',
  copy: 'copying',
  finish: 'finishing',
  verify: 'verifying',
  done: 'done',
};

/** Shows progress: on a terminal a line per disk and one for all, drawn in place; elsewhere one line every ten seconds. */
export class ProgressView {
  readonly #io: Io;
  readonly #clock: Clock;
  #shownMs = Number.NEGATIVE_INFINITY;
  #drawnLines = 0;
  #last: ImportProgress | undefined;

  constructor(io: Io, clock: Clock) {
    this.#io = io;
    this.#clock = clock;
    if (!io.isTerminal) this.#shownMs = clock.monotonicMs();
  }

  update(progress: ImportProgress): void {
    this.#last = progress;
    const now = this.#clock.monotonicMs();
    if (now - this.#shownMs < (this.#io.isTerminal ? REDRAW_MS : LINE_MS)) return;
    this.#shownMs = now;
    if (this.#io.isTerminal) this.#redraw(progress);
    else this.#io.note(lineOf(progress));
  }

  /** A remark between the lines. */
  remark(text: string): void {
    this.#clear();
    this.#io.note(text);
    if (this.#io.isTerminal && this.#last !== undefined) this.#redraw(this.#last);
  }

  /** Removes what is drawn, so that the result follows on a clean line. */
  end(): void {
    this.#clear();
  }

  #redraw(progress: ImportProgress): void {
    const lines = [...progress.disks.map((disk) => barLine(disk.name, WORDS[disk.phase], disk))];
    if (progress.disks.length > 1) lines.push(barLine('all disks', 'copying', progress.overall));
    this.#clear();
    this.#io.draw(lines.map((line) => `${line.slice(0, Math.max(20, this.#io.columns - 1))}\n`).join(''));
    this.#drawnLines = lines.length;
  }

  #clear(): void {
    // Up to the first drawn line and erase from there (ECMA-48 CPL, ED).
    if (this.#drawnLines > 0) this.#io.draw(`\u001b[${this.#drawnLines}F\u001b[J`);
    this.#drawnLines = 0;
  }
}

function barLine(name: string, word: string, display: Display): string {
  const share = shareOf(display);
  const cells = Math.round((share ?? 0) * BAR_CELLS);
  const bar = share === undefined ? ' '.repeat(BAR_CELLS) : '='.repeat(cells).padEnd(BAR_CELLS, '.');
  return `${name.padEnd(14)} ${word.padEnd(9)} [${bar}] ${numbers(display)}`;
}

function lineOf({ disks, overall }: ImportProgress): string {
  const active = disks.find((disk) => disk.phase !== 'waiting' && disk.phase !== 'done');
  if (active === undefined || active.phase === 'copy') return `copying: ${numbers(overall)}`;
  return `${WORDS[active.phase]} ${active.name}: ${numbers(active)}`;
}

function numbers(display: Display): string {
  const { doneBytes, totalBytes, bytesPerSecond, etaMs } = display;
  const share = shareOf(display);
  return [
    share === undefined ? '' : `${Math.floor(share * 100)} %`,
    totalBytes === undefined ? formatBytes(doneBytes) : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    bytesPerSecond === undefined ? '' : `${formatBytes(bytesPerSecond)}/s`,
    etaMs === undefined ? '' : `${formatDuration(etaMs)} left`,
  ]
    .filter(Boolean)
    .join(', ');
}

function shareOf({ doneBytes, totalBytes }: Display): number | undefined {
  if (totalBytes === undefined) return undefined;
  return totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
}
