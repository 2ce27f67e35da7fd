import { ImageError } from './image-error.ts';

/** Harvester deletes the images of an old version by this last part of their name after an upgrade, and finds ours by it (ruling 23). */
const LAST_SEGMENT = 'airlift';
const SEGMENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const REGISTRY = /^[a-zA-Z0-9.-]+(?::[0-9]+)?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/**
 * The name as Kubernetes asks a node for it: `airlift` is `docker.io/library/airlift` there, and an image that was imported without this would not be found.
 * @param repository without a tag, such as `airlift` or `registry.example/tools/airlift`
 * @throws ImageError
 */
export function fullImageName(repository: string, tag: string): string {
  const segments = repository.split('/');
  const [first = ''] = segments;
  const hasRegistry = segments.length > 1 && (/[.:]/.test(first) || first === 'localhost');
  const path = hasRegistry ? segments.slice(1) : segments;
  if (path.at(-1) !== LAST_SEGMENT) {
    throw new ImageError(
      `the name ${repository} must end with /${LAST_SEGMENT}: give --name <registry>/<path>/${LAST_SEGMENT}`,
    );
  }
  if (!path.every((segment) => SEGMENT.test(segment)) || (hasRegistry && !REGISTRY.test(first))) {
    throw new ImageError(
      `${repository} is no name of an image: use lower case letters, digits and . _ - between slashes`,
    );
  }
  if (!TAG.test(tag)) throw new ImageError(`${tag} cannot be the tag of an image`);
  if (hasRegistry) return `${repository}:${tag}`;
  return path.length === 1 ? `docker.io/library/${repository}:${tag}` : `docker.io/${repository}:${tag}`;
}
