/** Where things lie in the image, without the leading slash. */
export const NODE_PATH = 'usr/bin/node';
/** Laid out below as the installed npm package is. */
export const APPLICATION_FOLDER = 'opt/airlift';
export const LAUNCHER_PATH = `${APPLICATION_FOLDER}/bin/airlift.js`;

/**
 * Whom the image runs as. Numeric, since Kubernetes cannot tell from a name whether it is root. 107 is the user that KubeVirt's own processes read disks as, so a file `disk.img` that
 * a worker made on a file system volume is theirs.
 */
export const USER_ID = 107;
