import { spawn } from 'node:child_process';
import { once } from 'node:events';

const BOOT_TIMEOUT_MS = 60_000;

/**
 * Starts QEMU with a disk, which stays as it is. Returns what the machine says on its serial port until it has said `line`: it halts then and would stand still for ever, so it is ended.
 */
export async function bootUntil(line: string, disk: string, format: 'raw' | 'qcow2'): Promise<string> {
  const args = ['-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-net', 'none', '-no-reboot', '-snapshot'];
  const child = spawn('qemu-system-x86_64', [...args, '-m', '64', '-drive', `file=${disk},format=${format}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: BOOT_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('latin1').on('data', (text: string) => {
      output += text;
      if (output.includes(line)) child.kill('SIGKILL');
    });
  }
  await once(child, 'close');
  return output;
}
