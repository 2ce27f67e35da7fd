import { describe, expect, test } from 'vitest';
import { randomBelow, seededRandom } from '../testing/random.ts';
import { DueHeap } from './due-heap.ts';

function takeAll(heap: DueHeap<string>, nowMs = Infinity): string[] {
  const keys: string[] = [];
  for (let key = heap.takeDue(nowMs); key !== undefined; key = heap.takeDue(nowMs)) keys.push(key);
  return keys;
}

describe('DueHeap', () => {
  test('gives keys in the order of their times, none before its time', () => {
    const heap = new DueHeap<string>();
    for (const [key, atMs] of Object.entries({ c: 30, a: 10, d: 40, b: 20 })) heap.add(key, atMs);
    expect(takeAll(heap, 9)).toEqual([]);
    expect(takeAll(heap, 20)).toEqual(['a', 'b']);
    expect(heap.firstAtMs()).toBe(30);
    expect(takeAll(heap)).toEqual(['c', 'd']);
    expect(heap.firstAtMs()).toBeUndefined();
  });

  test('of two times for a key the earlier counts, whichever came first', () => {
    const heap = new DueHeap<string>();
    heap.add('late first', 50);
    heap.add('late first', 10);
    heap.add('early first', 20);
    heap.add('early first', 60);
    expect(heap.size).toBe(2);
    expect(takeAll(heap, 20)).toEqual(['late first', 'early first']);
    expect(takeAll(heap)).toEqual([]);
  });

  test('a key that was deleted does not come, and may be added again later', () => {
    const heap = new DueHeap<string>();
    heap.add('a', 10);
    heap.delete('a');
    expect(heap.firstAtMs()).toBeUndefined();
    heap.add('a', 90);
    expect(takeAll(heap, 89)).toEqual([]);
    expect(takeAll(heap, 90)).toEqual(['a']);
  });

  test('agrees with sorting, whatever is added, deleted and taken', () => {
    const random = seededRandom(5);
    const heap = new DueHeap<string>();
    const wanted = new Map<string, number>();
    for (let step = 0; step < 5_000; step += 1) {
      const key = `k${randomBelow(random, 200)}`;
      const atMs = step * 1_000 + randomBelow(random, 1_000_000); // each time only once: ties have no order
      if (random() < 0.2) {
        heap.delete(key);
        wanted.delete(key);
      } else {
        heap.add(key, atMs);
        wanted.set(key, Math.min(wanted.get(key) ?? Infinity, atMs));
      }
      if (random() < 0.1) {
        const [first] = [...wanted].sort((a, b) => a[1] - b[1]);
        expect(heap.firstAtMs()).toBe(first?.[1]);
        const taken = heap.takeDue(Infinity);
        expect(wanted.get(taken ?? '')).toBe(first?.[1]);
        wanted.delete(taken ?? '');
      }
    }
    const left = [...wanted].sort((a, b) => a[1] - b[1]).map(([, atMs]) => atMs);
    expect(takeAll(heap).map((key) => wanted.get(key))).toEqual(left);
  });
});
