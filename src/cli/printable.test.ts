import { describe, expect, test } from 'vitest';
import { printable } from './printable.ts';

describe('printable', () => {
  test.each([
    ['a colour', 'a\u001b[31mred', 'a\\u{1b}[31mred'],
    ['a control sequence in one byte', 'a\u009b2Jb', 'a\\u{9b}2Jb'],
    ['a window title with its bell', '\u001b]0;pwned\u0007', '\\u{1b}]0;pwned\\u{7}'],
    ['a backspace', 'rm\b\b', 'rm\\u{8}\\u{8}'],
    ['an override of direction', 'exe.\u202egnp', 'exe.\\u{202e}gnp'],
    ['an invisible character', 'a\u200bb', 'a\\u{200b}b'],
    ['a byte order mark', 'a\ufeffb', 'a b'],
    ['half of a pair', 'a\ud800', 'a\\u{d800}'],
    ['DEL', '\u007f', '\\u{7f}'],
  ])('%s becomes visible', (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  test('line breaks and tabs become a space, so that no line can be made up', () => {
    expect(printable('one\r\n\terror: two\u2028three\u0085four')).toBe('one error: two three\\u{85}four');
  });

  test('letters of all scripts and emoji stay', () => {
    expect(printable('Größe 日本語 сервер 🚀')).toBe('Größe 日本語 сервер 🚀');
  });

  test('a megabyte is cut', () => {
    expect(printable('x'.repeat(1_000_000))).toBe(`${'x'.repeat(4000)}...`);
  });
});
