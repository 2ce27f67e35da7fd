import { describe, expect, test } from 'vitest';
import { IMAGE_USAGE, parseImageOptions } from './image-options.ts';

describe('parseImageOptions', () => {
  test('builds everything when nothing is said', () => {
    const options = parseImageOptions([], '/checkout');
    expect(options).toMatchObject({ name: 'airlift', out: '/checkout/build/image', updatesLock: false });
    expect(options?.platforms.map(({ architecture }) => architecture)).toEqual(['amd64', 'arm64']);
  });

  test('takes what is said; an absolute folder stays', () => {
    const args = [
      '--name',
      'registry.local/airlift',
      '--platform',
      'linux/arm64',
      '--out',
      '/srv/out',
      '--update-lock',
    ];
    expect(parseImageOptions(args, '/checkout')).toMatchObject({
      name: 'registry.local/airlift',
      out: '/srv/out',
      platforms: [{ architecture: 'arm64' }],
      updatesLock: true,
    });
  });

  test('help is asked for', () => {
    expect(parseImageOptions(['--help'], '/')).toBeUndefined();
    expect(IMAGE_USAGE).toContain('--update-lock');
  });

  test.each([['--nme', 'x'], ['--name'], ['stray']])('%s is refused with the usage', (...args) => {
    expect(() => parseImageOptions(args, '/')).toThrow(/Usage: npm run image/);
  });
});
