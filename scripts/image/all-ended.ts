/**
 * As Promise.all, but fails only after everything has ended: what is still under way would write into a folder that its failed neighbour's caller is removing.
 */
export async function allEnded<const T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
