import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { EndpointLink } from './endpoint-link.ts';
import { RunAhead } from './run-ahead.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

function world(virtualSizeBytes = GIB) {
  const clock = new FakeClock();
  const link = new EndpointLink(clock);
  const taken: number[] = [];
  const inner = { take: async (bytes: number) => void taken.push(bytes) };
  return { clock, link, taken, ahead: new RunAhead(virtualSizeBytes, { link, inner }) };
}

/** Whether bytes pass now. */
async function passes({ ahead }: ReturnType<typeof world>, bytes = 1): Promise<boolean> {
  const stop = new AbortController();
  const taking = ahead.take(bytes, { signal: stop.signal }).then(
    () => true,
    () => false,
  );
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('no'));
  return await taking;
}

describe('RunAhead (ruling 18)', () => {
  test.each([
    ['64 MiB of a small disk', GIB, 64 * MIB],
    ['1 % of a large one', 100 * GIB, GIB],
  ])('allows %s', (_what, size, limit) => {
    expect(world(size).ahead.limitBytes).toBe(limit);
  });

  test('lets everything pass while the endpoint answers, through the limit of the rate', async () => {
    const here = world();
    expect(await passes(here, 10 * GIB)).toBe(true);
    here.ahead.copied(10 * GIB);
    expect(await passes(here, 5)).toBe(true);
    expect(here.taken).toEqual([10 * GIB, 5]);
  });

  test('shuts at half of the limit when the endpoint is away: what is under way still comes through', async () => {
    const here = world();
    here.link.failed('PUT /checkpoint');
    expect(await passes(here, 31 * MIB)).toBe(true);
    expect(await passes(here, MIB)).toBe(true);
    expect(await passes(here)).toBe(false);
    here.link.answered('PUT /checkpoint');
    expect(await passes(here)).toBe(true);
  });

  test('counts what was copied where that is more than what was fetched', async () => {
    const here = world();
    here.ahead.stored(here.ahead.mark(), 100 * MIB);
    here.link.failed('a');
    here.ahead.copied(131 * MIB);
    expect(await passes(here)).toBe(true);
    here.ahead.copied(132 * MIB);
    expect(await passes(here)).toBe(false);
  });

  test('what was fetched before a stored checkpoint was made does not count', async () => {
    const here = world();
    await here.ahead.take(50 * MIB);
    const mark = here.ahead.mark();
    await here.ahead.take(10 * MIB);
    here.ahead.stored(mark, 80 * MIB);
    expect(here.ahead.unsavedBytes).toBe(10 * MIB);
  });

  test('shuts 20 s after the last word of the endpoint, however little was copied: by then nobody has put another in its place (ruling 16)', async () => {
    const here = world();
    here.clock.ms += 19_000;
    expect(await passes(here)).toBe(true);
    here.link.failed('POST /progress');
    expect(await passes(here)).toBe(true);
    here.clock.ms += 1_000;
    expect(await passes(here)).toBe(false);
    // It takes reports but stores nothing: this run is confirmed.
    here.link.failed('PUT /checkpoint');
    here.link.answered('POST /progress');
    expect(await passes(here)).toBe(true);
  });

  test('silence alone shuts nothing: nobody has asked', async () => {
    const here = world();
    here.clock.ms += 3_600_000;
    expect(await passes(here)).toBe(true);
  });
});
