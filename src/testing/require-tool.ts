import { execFileSync } from 'node:child_process';

/**
 * True when a program is on the PATH. A missing one skips its tests on a developer's machine and is an error where AIRLIFT_REQUIRE_TOOLS is set, as in CI:
 * there nothing may be skipped for lack of a tool.
 */
export function requireTool(program: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', program], { stdio: 'ignore' });
    return true;
  } catch (cause) {
    if (process.env.AIRLIFT_REQUIRE_TOOLS) {
      throw new Error(`${program} is missing; scripts/prepare-system.ts installs it`, { cause });
    }
    console.warn(`skipped: ${program} is not installed (run npm run test:system, which installs it)`);
    return false;
  }
}

/** The same for something other than a program: `isThere` says whether the system has it. */
export function requirePresent(what: string, isThere: boolean): boolean {
  if (isThere) return true;
  if (process.env.AIRLIFT_REQUIRE_TOOLS) throw new Error(`${what} is missing; scripts/prepare-system.ts installs it`);
  console.warn(`skipped: ${what} is not installed (run npm run test:system, which installs it)`);
  return false;
}
