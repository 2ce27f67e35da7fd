import { combineProgress, type ImportProgress } from '../../app/import-progress.ts';
import type { ProgressView } from './progress.ts';

/** The progress of one or several machines in one display. */
export class ImportsView {
  readonly #view: ProgressView;
  readonly #isSeveral: boolean;
  readonly #progress = new Map<string, ImportProgress>();

  constructor(view: ProgressView, machines: number) {
    this.#view = view;
    this.#isSeveral = machines > 1;
  }

  update(machine: string, progress: ImportProgress): void {
    if (!this.#isSeveral) {
      this.#view.update(progress);
      return;
    }
    this.#progress.set(machine, progress);
    this.#view.update(combineProgress([...this.#progress].map(([name, each]) => ({ name, progress: each }))));
  }

  remark(text: string, machine?: string): void {
    this.#view.remark(this.#isSeveral && machine !== undefined ? `${machine}: ${text}` : text);
  }

  end(): void {
    this.#view.end();
  }
}
