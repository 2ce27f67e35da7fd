interface Due<K> {
  readonly key: K;
  readonly atMs: number;
}

/** Keys and when they are due, the earliest at the front (a binary heap): a thousand of them cost one timer. A key is there once, with the earliest time it was given. */
export class DueHeap<K> {
  readonly #heap: Due<K>[] = [];
  /** The time that counts; entries of the heap with another one are left behind and skipped. */
  readonly #atMs = new Map<K, number>();

  get size(): number {
    return this.#atMs.size;
  }

  has(key: K): boolean {
    return this.#atMs.has(key);
  }

  add(key: K, atMs: number): void {
    const known = this.#atMs.get(key);
    if (known !== undefined && known <= atMs) return;
    this.#atMs.set(key, atMs);
    this.#heap.push({ key, atMs });
    this.#rise(this.#heap.length - 1);
  }

  delete(key: K): void {
    this.#atMs.delete(key);
  }

  /** When the first one is due; undefined when there is none. */
  firstAtMs(): number | undefined {
    this.#dropLeftBehind();
    return this.#heap[0]?.atMs;
  }

  /** Takes the first key that is due. */
  takeDue(nowMs: number): K | undefined {
    const firstAtMs = this.firstAtMs();
    if (firstAtMs === undefined || firstAtMs > nowMs) return undefined;
    const first = this.#removeFirst();
    if (first !== undefined) this.#atMs.delete(first.key);
    return first?.key;
  }

  #dropLeftBehind(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#atMs.get(first.key) === first.atMs) return;
      this.#removeFirst();
    }
  }

  #removeFirst(): Due<K> | undefined {
    const [first] = this.#heap;
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
    return first;
  }

  #rise(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfEarlier(index, parent)) return;
      index = parent;
    }
  }

  #sink(): void {
    let index = 0;
    while (true) {
      const left = 2 * index + 1;
      const right = left + 1;
      const earlier = this.#timeAt(right) < this.#timeAt(left) ? right : left;
      if (!this.#swapIfEarlier(earlier, index)) return;
      index = earlier;
    }
  }

  /** Swaps when the one below is due before the one above it. */
  #swapIfEarlier(below: number, above: number): boolean {
    const [low, high] = [this.#heap[below], this.#heap[above]];
    if (low === undefined || high === undefined || low.atMs >= high.atMs) return false;
    this.#heap[above] = low;
    this.#heap[below] = high;
    return true;
  }

  #timeAt(index: number): number {
    return this.#heap[index]?.atMs ?? Infinity;
  }
}
