import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { MessagePort } from 'node:worker_threads';
import { type LaneAnswer, type LaneRequest, packFailure } from './lane-message.ts';
import { LaneBuffers, LaneDiskWork, type LaneParts } from './run-job.ts';

/** A lane's side: takes jobs from its port one after the other. */
export function serveLane(port: MessagePort, parts: LaneParts): void {
  const buffers = new LaneBuffers();
  const disks = new Map<number, LaneDiskWork>();
  const answer = (message: LaneAnswer) => port.postMessage(message);
  port.on('message', (request: LaneRequest) => {
    if ('stop' in request) port.close();
    else if ('open' in request) disks.set(request.disk, new LaneDiskWork(parts, request.open, buffers));
    else if ('close' in request) {
      disks.get(request.disk)?.[Symbol.dispose]();
      disks.delete(request.disk);
    } else answer(runJob(disks.get(request.disk), request));
  });
  collectGarbage();
  answer({ ready: true });
}

function runJob(
  disk: LaneDiskWork | undefined,
  { id, job, disk: number }: Extract<LaneRequest, { readonly id: number }>,
): LaneAnswer {
  try {
    if (disk === undefined) throw new Error(`lane got a job for disk ${number}, which it was not told of`);
    return { id, result: disk.run(job) };
  } catch (error) {
    return { id, failure: packFailure(error) };
  }
}

/** Loading the modules leaves 3 MiB of garbage, which in a lane's small heap would never be worth collecting; with 16 lanes it counts. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
