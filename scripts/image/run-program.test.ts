import { describe, expect, test } from 'vitest';
import { outputOf, runProgram } from './run-program.ts';

const node = (script: string) => ['-e', script];

describe('runProgram', () => {
  test('gives status and output of a program that fails', async () => {
    const script = "console.log('out'); console.error('bad'); process.exitCode = 3";
    expect(await runProgram(process.execPath, node(script))).toEqual({ status: 3, stdout: 'out\n', stderr: 'bad\n' });
  });

  test('a program that is not there is named', async () => {
    await expect(runProgram('no-such-program', [])).rejects.toThrow('no-such-program is not installed');
  });

  test('a program that must succeed is quoted when it does not', async () => {
    const failing = outputOf(runProgram, process.execPath, node("console.error('E: why'); process.exitCode = 100"));
    await expect(failing).rejects.toThrow(/status 100:\nE: why/);
    expect(await outputOf(runProgram, process.execPath, node("console.log('fine')"))).toBe('fine\n');
  });

  test('a program that is killed is an error, not a result', async () => {
    await expect(runProgram(process.execPath, node("process.kill(process.pid, 'SIGKILL')"))).rejects.toThrow();
  });
});
