import type { DiskDisplay, Display, ImportProgress } from '../../app/import-progress.ts';
import type { Clock } from '../../app/platforms.ts';
import { formatBytes, formatDuration } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { cutToWidth, padToWidth, textWidth, wrapText } from './text-width.ts';

const REDRAW_MS = 200;
const LINE_MS = 10_000;
const WIDEST_BAR = 20;
/** Where only less room is left there is no bar: the numbers say more. */
const NARROWEST_BAR = 6;
const WORD_CELLS = 9;
/** What share, bytes, speed and time take at most. */
const NUMBER_CELLS = 54;
/** Of what a long remark goes on with. */
const INDENT = 2;
const MAX_NAME_CELLS = 24;
/** More disks than this are shown as a count, or the lines would not fit a small terminal and could not be drawn over. */
const MAX_DISK_LINES = 8;
const WORDS: Readonly<Record<DiskDisplay['phase'], string>> = {
  waiting: 'waiting',
  copy: 'copying',
  finish: 'finishing',
  verify: 'verifying',
  done: 'done',
};

/**
 * Shows progress: on a terminal a line per disk and one for all, drawn in place; elsewhere one line every ten seconds. The cursor stays visible: a process that is
 * killed could not bring it back.
 */
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

  /** A remark between the lines; where nobody's terminal breaks it, in one line for whoever searches a log. */
  remark(text: string): void {
    this.#clear();
    const { isTerminal, columns } = this.#io;
    const [first = '', ...more] = isTerminal ? wrapText(printable(text), columns - 1 - INDENT) : [printable(text)];
    for (const line of [first, ...more.map((each) => `${' '.repeat(INDENT)}${each}`)]) this.#io.note(line);
    if (isTerminal && this.#last !== undefined) this.#redraw(this.#last);
  }

  /** Removes what is drawn, so that the result follows on a clean line. */
  end(): void {
    this.#clear();
    this.#last = undefined;
  }

  /** In one write, each line over its predecessor: without this the lines would flicker (ECMA-48 CPL, EL, ED). */
  #redraw(progress: ImportProgress): void {
    const columns = this.#io.columns - 1; // in the last column some terminals go to the next line
    const lines = linesOf(progress, columns).map((line) => cutToWidth(line, columns));
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}F` : '';
    this.#io.draw(`${up}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
    this.#drawnLines = lines.length;
  }

  #clear(): void {
    if (this.#drawnLines > 0) this.#io.draw(`\u001b[${this.#drawnLines}F\u001b[J`);
    this.#drawnLines = 0;
  }
}

function linesOf({ disks, overall }: ImportProgress, columns: number): string[] {
  const isMany = disks.length > MAX_DISK_LINES;
  const shown = isMany ? disks.filter(isActive).slice(0, MAX_DISK_LINES) : disks;
  const doneCount = disks.filter(({ phase }) => phase === 'done').length;
  const total = isMany ? `all, ${doneCount} of ${disks.length} done` : 'all disks';
  const rows = shown.map((disk) => ({ name: printable(disk.name), word: WORDS[disk.phase], display: disk as Display }));
  // `overall` counts copied bytes only: once all are copied, what is left is said by the disks.
  const isCopied = disks.every(({ phase }) => phase !== 'waiting' && phase !== 'copy');
  const whole = isCopied ? { ...overall, bytesPerSecond: undefined, etaMs: undefined } : overall;
  if (disks.length > 1) rows.push({ name: total, word: isCopied ? 'copied' : 'copying', display: whole });

  const nameCells = Math.min(MAX_NAME_CELLS, Math.max(...rows.map(({ name }) => textWidth(name))));
  const room = columns - nameCells - WORD_CELLS - NUMBER_CELLS - '  [] '.length;
  const barCells = room < NARROWEST_BAR ? 0 : Math.min(WIDEST_BAR, room);
  return rows.map(({ name, word, display }) => {
    const label = padToWidth(cutToWidth(name, nameCells), nameCells);
    const drawn = barCells === 0 ? '' : `${bar(display, barCells)} `;
    return `${label}  ${word.padEnd(WORD_CELLS)} ${drawn}${numbers(display)}`.trimEnd();
  });
}

function isActive({ phase }: DiskDisplay): boolean {
  return phase !== 'waiting' && phase !== 'done';
}

function bar(display: Display, cells: number): string {
  const share = shareOf(display);
  if (share === undefined) return ' '.repeat(cells + 2);
  return `[${'='.repeat(Math.round(share * cells)).padEnd(cells, '.')}]`;
}

function lineOf({ disks, overall }: ImportProgress): string {
  const active = disks.find(isActive);
  if (active === undefined || active.phase === 'copy') return `copying: ${numbers(overall)}`;
  return `${WORDS[active.phase]} ${printable(active.name)}: ${numbers(active)}`.replace(/: $/, '');
}

function numbers(display: Display): string {
  const { doneBytes, totalBytes, bytesPerSecond, etaMs } = display;
  const share = shareOf(display);
  if (share === undefined && doneBytes === 0) return '';
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
