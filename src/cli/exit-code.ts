/** What the shell sees. */
export const ExitCode = {
  ok: 0,
  problem: 1,
  usage: 2,
  blocked: 3,
  different: 4,
  /** Something could not be looked at. */
  unknown: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
