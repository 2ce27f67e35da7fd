// The controller, as its Deployment starts it (docs/controller.md).
import { randomBytes } from 'node:crypto';
import { ControllerMetrics } from '../controller/metrics.ts';
import { readSettings } from '../controller/read-settings.ts';
import { runController } from '../controller/run-controller.ts';
import { resourceName } from '../kube/asked.ts';
import { loadAccess } from '../kube/load-access.ts';
import { openKubeCluster } from '../kube/open-kube-cluster.ts';
import type { Log } from '../ports/log.ts';
import { ovaAdapter } from './adapters/ova-adapter.ts';
import { interruptionSignal } from './interruption.ts';
import { createJsonLog, readLogLevel } from './json-log.ts';
import { airliftVersion } from './package-version.ts';
import { systemClock } from './system-clock.ts';

const clock = systemClock;
const fields = { version: airliftVersion };
const signal = interruptionSignal();
// Until the settings say how much it is to tell.
let log: Log = createJsonLog({ name: 'controller', level: 'info', fields });

try {
  log = createJsonLog({ name: 'controller', level: readLogLevel(process.env), fields });
  const settings = readSettings(process.env, randomBytes(4).toString('hex'));
  const metrics = new ControllerMetrics(airliftVersion);
  const access = await loadAccess({ clock });
  for (const { message } of access.remarks) log.warn('cluster access', { remark: message });
  await using cluster = openKubeCluster(access, {
    clock,
    random: Math.random,
    manager: 'airlift',
    onAnswer: ({ verb, kind }, status) => metrics.countRequest({ verb, resource: resourceName(kind), status }),
  });
  const adapters = [ovaAdapter({ clock, crossNamespace: settings.crossNamespaceSecrets })];
  await runController({ cluster, clock, random: Math.random, log, metrics, adapters, airliftVersion }, settings, {
    signal,
  });
  process.exitCode = 0;
} catch (error) {
  process.exitCode = signal.aborted ? 0 : 1;
  if (!signal.aborted) log.error('controller ended', { error });
}
