// The controller, as its Deployment starts it (docs/controller.md).
import { randomBytes } from 'node:crypto';
import { readSettings } from '../controller/read-settings.ts';
import { runController } from '../controller/run-controller.ts';
import { isProblem } from '../domain/problems.ts';
import { loadAccess } from '../kube/load-access.ts';
import { openKubeCluster } from '../kube/open-kube-cluster.ts';
import { ovaAdapter } from './adapters/ova-adapter.ts';
import { interruptionSignal } from './interruption.ts';
import { createJsonLog } from './json-log.ts';
import { airliftVersion } from './package-version.ts';
import { systemClock } from './system-clock.ts';

const clock = systemClock;
const log = createJsonLog('controller', { version: airliftVersion });
const signal = interruptionSignal();

try {
  const settings = readSettings(process.env, randomBytes(4).toString('hex'));
  const access = await loadAccess({ clock });
  for (const remark of access.remarks) log.warn('cluster access', { remark: remark.message });
  await using cluster = openKubeCluster(access, { clock, random: Math.random, manager: 'airlift' });
  const adapters = [ovaAdapter({ clock })];
  await runController({ cluster, clock, random: Math.random, log, adapters, airliftVersion }, settings, { signal });
  process.exitCode = 0;
} catch (error) {
  process.exitCode = signal.aborted ? 0 : 1;
  if (!signal.aborted)
    log.error(
      'controller ended',
      isProblem(error) ? { code: error.code, detail: error.message } : { error: String(error) },
    );
}
