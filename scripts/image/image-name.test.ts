import { expect, test } from 'vitest';
import { fullImageName } from './image-name.ts';

test.each([
  ['airlift', 'docker.io/library/airlift:0.1.0'],
  ['rancher/airlift', 'docker.io/rancher/airlift:0.1.0'],
  ['docker.io/rancher/airlift', 'docker.io/rancher/airlift:0.1.0'],
  ['registry.local/tools/airlift', 'registry.local/tools/airlift:0.1.0'],
  ['registry:5000/airlift', 'registry:5000/airlift:0.1.0'],
  ['localhost/airlift', 'localhost/airlift:0.1.0'],
])('%s is %s on a node', (repository, full) => {
  expect(fullImageName(repository, '0.1.0')).toBe(full);
});

test.each(['registry.local/tools/airlift-controller', 'importer', 'airlift/'])(
  '%s is refused, since Harvester finds ours by its last part',
  (repository) => {
    expect(() => fullImageName(repository, '0.1.0')).toThrow('must end with /airlift');
  },
);

test.each(['Tools/airlift', 'registry.local//airlift', 'reg_istry.local/airlift', 'a b/airlift', 'x:y/airlift'])(
  '%s is no name',
  (repository) => {
    expect(() => fullImageName(repository, '0.1.0')).toThrow('is no name of an image');
  },
);

test('a tag that no registry takes is refused', () => {
  expect(() => fullImageName('airlift', '0.1.0+dirty')).toThrow('0.1.0+dirty cannot be the tag');
});
