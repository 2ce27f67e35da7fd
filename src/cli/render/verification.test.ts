import { describe, expect, test } from 'vitest';
import type { Comparison, DiskVerification } from '../../app/verify-report.ts';
import { noPaint } from '../io.ts';
import { renderVerification, verdictOf } from './verification.ts';

const MIB = 1024 ** 2;
const io = { paint: noPaint, columns: 100 };

describe('renderVerification', () => {
  test('names the ranges that differ and why a disk was not looked at', () => {
    const results: DiskVerification[] = [
      { file: 'disk-0.qcow2', status: 'identical', differences: [] },
      {
        file: 'disk-1.qcow2',
        status: 'different',
        differences: [
          { offset: 0, length: 16 * MIB },
          { offset: 64 * MIB, length: 512 },
        ],
      },
      {
        file: 'disk-2.qcow2',
        status: 'unverifiable',
        differences: [],
        reason: 'SourceNotFound: no such\u001b[2J file',
      },
    ];
    expect(renderVerification(results, io)).toMatchSnapshot();
  });

  test('with the source beside the target, each side says its own', () => {
    const differences = [{ offset: 0, length: 16 * MIB }];
    const results: DiskVerification[] = [
      { file: 'a', status: 'identical', differences: [], source: { status: 'different', differences } },
      { file: 'b', status: 'different', differences, source: { status: 'identical', differences: [] } },
      {
        file: 'c',
        status: 'identical',
        differences: [],
        source: { status: 'unverifiable', differences: [], reason: 'gone' },
      },
    ];
    expect(renderVerification(results, io)).toMatchSnapshot();
  });

  test('of a thousand ranges the first are named', () => {
    const differences = Array.from({ length: 1000 }, (_, index) => ({ offset: index * 2 * MIB, length: MIB }));
    const lines = renderVerification([{ file: 'd', status: 'different', differences }], io).split('\n');
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toBe('  and 980 more ranges');
  });
});

describe('verdictOf', () => {
  const look = (status: Comparison['status']): Comparison => ({ status, differences: [] });
  test.each<[Comparison['status'], Comparison['status'] | undefined, string]>([
    ['identical', undefined, 'none'],
    ['identical', 'identical', 'none'],
    ['unverifiable', 'unverifiable', 'none'],
    ['different', undefined, 'target'],
    ['different', 'unverifiable', 'target'],
    ['identical', 'different', 'source'],
    ['different', 'different', 'both'],
  ])('target %s and source %s: %s', (target, source, verdict) => {
    const result = { file: 'a', ...look(target), ...(source === undefined ? {} : { source: look(source) }) };
    expect(verdictOf([{ file: 'b', ...look('identical') }, result])).toBe(verdict);
  });
});
