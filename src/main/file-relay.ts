// The way of a local file into a cluster, as the command line starts it in a Pod (docs/decisions/0015-import-to-kubevirt.md).
import { RELAY_PORT, RELAY_TUNNEL_PORT } from '../api/file-relay.ts';
import { RelayConnections } from '../file-relay/relay-connections.ts';
import { interruptionSignal } from './interruption.ts';
import { createJsonLog } from './json-log.ts';
import { airliftVersion } from './package-version.ts';

const log = createJsonLog({ name: 'file-relay', level: 'info', fields: { version: airliftVersion } });
const signal = interruptionSignal();
const stopped = new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('told to stop')));
await using relay = await RelayConnections.start({ port: RELAY_PORT, tunnelPort: RELAY_TUNNEL_PORT });
log.info('relay ready', { port: relay.port });
const why = await Promise.race([stopped, relay.left.then(() => 'nobody brings the file any more')]);
log.info('relay ends', { why });
