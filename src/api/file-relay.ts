/** Ports of a file relay (docs/decisions/0015-import-to-kubevirt.md): what the cluster asks at, and what the command line comes in by, on loopback. */
export const RELAY_PORT = 8445;
export const RELAY_TUNNEL_PORT = 8446;
