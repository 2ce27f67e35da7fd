/** What programs of a cluster inherit from us: no proxy settings, no kubeconfig, nothing that makes a run differ from another one. */
export function clusterEnvironment(folder: string): NodeJS.ProcessEnv {
  return {
    // Debian keeps iptables, losetup and mkfs where an ordinary user's PATH does not lead.
    PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`,
    HOME: folder,
    LANG: 'C.UTF-8',
  };
}
