/** Last path segment of our own image, under whichever registry (ruling 23). */
const OUR_IMAGE = 'airlift';

/** Whether `registry:5000/tools/airlift:1.0@sha256:...` and its like are ours: Harvester's own controller goes by the same names as ours, but for its image. */
export function isAirliftImage(image: string): boolean {
  const [path = ''] = image.split('@', 1);
  return (path.split('/').at(-1) ?? '').split(':', 1)[0] === OUR_IMAGE;
}
