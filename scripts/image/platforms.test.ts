import { expect, test } from 'vitest';
import { parsePlatforms } from './platforms.ts';

test('a platform is named with or without its system', () => {
  expect(parsePlatforms('linux/arm64, amd64').map(({ architecture }) => architecture)).toEqual(['arm64', 'amd64']);
});

test.each(['', 'linux/s390x', 'windows/amd64', 'amd64,'])('"%s" is refused with those there are', (text) => {
  expect(() => parsePlatforms(text)).toThrow('--platform linux/amd64,linux/arm64');
});
