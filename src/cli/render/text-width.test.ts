import { describe, expect, test } from 'vitest';
import { cutToWidth, padToWidth, textWidth, wrapText } from './text-width.ts';

describe('textWidth', () => {
  test.each([
    ['plain', 5],
    ['日本語サーバー', 14],
    ['한국', 4],
    ['e\u0301', 1],
    ['Größe', 5],
    ['🚀', 2],
    ['', 0],
  ])('%s takes %i cells', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });
});

test('text is padded and cut by cells', () => {
  expect(padToWidth('日本', 6)).toBe('日本  ');
  expect(cutToWidth('日本語', 5)).toBe('日本');
  expect(cutToWidth('plain', 9)).toBe('plain');
});

describe('wrapText', () => {
  test('breaks at spaces', () => {
    expect(wrapText('one two three', 7)).toEqual(['one two', 'three']);
  });

  test('a longer word is cut, between characters', () => {
    expect(wrapText('see 🚀🚀🚀🚀🚀', 4)).toEqual(['see', '🚀🚀', '🚀🚀', '🚀']);
  });

  test('a letter wider than the column is not tried for ever', () => {
    expect(wrapText('日本', 1)).toEqual(['日', '本', '']);
  });

  test.each([10, 33, 80])('no line is wider than %i cells and no word is lost', (width) => {
    const text = 'The grain at file offset 66048 claims 日本語 9 MiB; this image allows 128 KiB each.';
    const lines = wrapText(text, width);
    expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(width);
    expect(lines.join(' ')).toBe(text);
  });
});
