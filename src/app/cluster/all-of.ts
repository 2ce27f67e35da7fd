/** Everything that comes, in one list: for objects of a namespace that are shown together anyway. */
export async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
