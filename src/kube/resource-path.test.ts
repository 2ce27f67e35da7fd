import { describe, expect, test } from 'vitest';
import { configMapKind, jobKind, nodeKind } from '../api/core-kinds.ts';
import { collectionPath, collectionPathOfOne, objectPath, selectorsOf } from './resource-path.ts';

describe('resource paths', () => {
  test.each([
    [objectPath(configMapKind, { namespace: 'a', name: 'b' }), '/api/v1/namespaces/a/configmaps/b'],
    [objectPath(jobKind, { namespace: 'a', name: 'b' }, 'status'), '/apis/batch/v1/namespaces/a/jobs/b/status'],
    [objectPath(nodeKind, { name: 'n1' }), '/api/v1/nodes/n1'],
    [objectPath(nodeKind, { name: 'n1', namespace: 'ignored' }), '/api/v1/nodes/n1'],
    [objectPath(nodeKind, { name: 'system:a b' }), '/api/v1/nodes/system%3Aa%20b'],
    [collectionPath(configMapKind, undefined), '/api/v1/configmaps'],
    [collectionPath(jobKind, 'a'), '/apis/batch/v1/namespaces/a/jobs'],
  ])('%s', (path, expected) => {
    expect(path).toBe(expected);
  });

  test.each(['', '.', '..', 'a/b', '../secrets/x', 'a%2fb', 'a?b', 'a#b'])('the name %j leads nowhere', (name) => {
    expect(() => objectPath(configMapKind, { namespace: 'a', name })).toThrow(
      expect.objectContaining({ code: 'ClusterObjectInvalid' }),
    );
    expect(() => objectPath(configMapKind, { namespace: name, name: 'a' })).toThrow(
      expect.objectContaining({ code: 'ClusterObjectInvalid' }),
    );
  });

  test('one object of a kind with namespaces needs one', () => {
    expect(() => collectionPathOfOne(configMapKind, undefined)).toThrow(/metadata.namespace/);
    expect(collectionPathOfOne(nodeKind, undefined)).toBe('/api/v1/nodes');
  });

  test('selectors are joined, and left out when they ask for nothing', () => {
    expect(selectorsOf({ labels: { a: '1', b: '' }, fields: { 'metadata.name': 'x' } })).toEqual({
      labelSelector: 'a=1,b=',
      fieldSelector: 'metadata.name=x',
    });
    expect(selectorsOf({ labels: {}, fields: {} })).toEqual({});
  });
});
