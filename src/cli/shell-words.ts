/**
 * The command line as it can be pasted into a shell again. Undefined when an address in it holds a password, or a query, which in presigned addresses is the
 * credential: what we print ends up in logs.
 */
export function renderCommandLine(program: string, argv: readonly string[]): string | undefined {
  if (argv.some(mayHoldSecret)) return undefined;
  return [program, ...argv.map(shellWord)].join(' ');
}

function mayHoldSecret(word: string): boolean {
  return /https?:\/\//i.test(word) && (/\/\/[^/]*:[^/]*@/.test(word) || word.includes('?'));
}

function shellWord(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
