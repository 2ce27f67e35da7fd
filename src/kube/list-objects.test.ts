import { describe, expect, test } from 'vitest';
import { configMapKind } from '../api/core-kinds.ts';
import { ProblemError } from '../domain/problems.ts';
import { collect } from '../testing/collect.ts';
import { listObjects } from './list-objects.ts';

const item = (name: string) => ({ metadata: { namespace: 'a', name, uid: name, managedFields: [{}] }, data: {} });
const page = (names: string[], next?: string) => ({ items: names.map(item), version: '9', next });
const expired = (continueWith?: string) =>
  new ProblemError('ClusterFailed', 'too old', { context: { status: 410, continueWith } });

/** Answers by token, one after the other for the same token. */
function pages(answers: Record<string, (ReturnType<typeof page> | Error)[]>) {
  const asked: string[] = [];
  const getPage = async (token: string | undefined) => {
    asked.push(token ?? 'first');
    const answer = answers[token ?? 'first']?.shift();
    if (answer === undefined) throw new Error(`nothing for ${token}`);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { asked, getPage };
}

const names = async (getPage: ReturnType<typeof pages>['getPage']) =>
  (await collect(listObjects(configMapKind, getPage, {}))).map((each) => each.metadata.name);

describe('listObjects', () => {
  test('follows the pages to the end, and makes whole objects of the items', async () => {
    const { getPage } = pages({ first: [page(['a', 'b'], 't')], t: [page(['c'])] });
    expect(await collect(listObjects(configMapKind, getPage, {}))).toEqual(
      ['a', 'b', 'c'].map((name) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: 'a', name, uid: name },
        data: {},
      })),
    );
  });

  test('asks for the next page only when the one before is used up', async () => {
    const { asked, getPage } = pages({ first: [page(['a', 'b'], 't')] });
    const objects = listObjects(configMapKind, getPage, {});
    await objects.next();
    await objects.next();
    expect(asked).toEqual(['first']);
    await objects.return();
  });

  test('a snapshot that is forgotten midway goes on with the rest the server offers', async () => {
    const { getPage, asked } = pages({
      first: [page(['a', 'b'], 't')],
      t: [expired('rest')],
      rest: [page(['b', 'c'])],
    });
    expect(await names(getPage)).toEqual(['a', 'b', 'c']);
    expect(asked).toEqual(['first', 't', 'rest']);
  });

  test('a snapshot that is forgotten without a rest is begun anew, and nothing comes twice', async () => {
    const { getPage } = pages({
      first: [page(['a', 'b'], 't'), page(['a', 'b', 'd'], 'u')],
      t: [expired()],
      u: [page(['e'])],
    });
    expect(await names(getPage)).toEqual(['a', 'b', 'd', 'e']);
  });

  test('a server that forgets for ever is given up', async () => {
    const { getPage, asked } = pages({ first: Array.from({ length: 20 }, () => expired()) });
    await expect(names(getPage)).rejects.toMatchObject({ message: 'too old' });
    expect(asked.length).toBe(6);
  });

  test('any other problem is thrown as it is', async () => {
    const { getPage } = pages({ first: [page(['a'], 't')], t: [new ProblemError('ClusterForbidden', 'no')] });
    await expect(names(getPage)).rejects.toMatchObject({ code: 'ClusterForbidden' });
  });
});
