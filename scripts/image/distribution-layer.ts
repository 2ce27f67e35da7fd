import { mergedPath } from './check-libraries.ts';
import type { Component } from './component.ts';
import type { LockedFile } from './distribution-lock.ts';
import { USER_ID } from './image-paths.ts';
import { ImageTree } from './image-tree.ts';
import type { Platform } from './platforms.ts';
import { readDeb, readDebControl } from './read-deb.ts';
import type { RunProgram } from './run-program.ts';

export interface FetchedPackage {
  readonly name: string;
  readonly file: LockedFile;
  readonly path: string;
}

const CERTIFICATES = /^usr\/share\/ca-certificates\/.*\.crt$/;

/** What is kept of a package: shared libraries, licences, and who made the distribution. Programs, scripts, documentation and character sets stay out. */
const KEPT = [
  /^usr\/lib(64)?\/([^/]+\/)?[^/]+\.so(\.[0-9.]+)?$/,
  /^usr\/share\/doc\/[^/]+(\/copyright)?$/,
  /^usr\/share\/common-licenses\//,
  /^(etc|usr\/lib)\/os-release$/,
  /^etc\/debian_version$/,
  CERTIFICATES,
];

/** The system below Node: what its libraries, name resolution and certificates need, and nothing to run. */
export async function buildDistributionLayer(
  packages: readonly FetchedPackage[],
  { release, platform, run }: { readonly release: string; readonly platform: Platform; readonly run: RunProgram },
): Promise<{ readonly tree: ImageTree; readonly components: readonly Component[] }> {
  const tree = new ImageTree();
  addSkeleton(tree);
  const copyrights = new Map<string, string>();
  const certificates: string[] = [];
  for (const { name, path } of packages) {
    for await (const member of readDeb(path, (each) => KEPT.some((kept) => kept.test(mergedPath(each))))) {
      const home = mergedPath(member.path);
      if (CERTIFICATES.test(home)) certificates.push(member.content.toString('utf8').trim());
      else if (member.type === 'link') tree.addLink(home, member.to);
      else tree.addFile(home, member.content, { mode: member.mode & 0o111 ? 0o755 : 0o644 });
      const [, documented] = /^usr\/share\/doc\/([^/]+)\/copyright$/.exec(home) ?? [];
      if (documented !== undefined) copyrights.set(documented, member.content.toString('utf8'));
    }
    // Where scanners look for packages of an image that has no package manager.
    tree.addFile(`var/lib/dpkg/status.d/${name}`, await readDebControl(path, run));
  }
  const components = packages.map(({ name, file }) => {
    // Packages of one source share one folder of documentation, by a link to its name.
    const folder = tree.get(`usr/share/doc/${name}`);
    const copyright = copyrights.get(folder?.type === 'link' ? folder.to : name) ?? '';
    return debianComponent(name, file, { release, platform, copyright });
  });
  // Sorted: the package lists them by name, but nothing says it always will.
  tree.addFile('etc/ssl/certs/ca-certificates.crt', `${certificates.toSorted().join('\n')}\n`);
  return { tree, components };
}

function addSkeleton(tree: ImageTree): void {
  for (const folder of ['bin', 'lib', 'lib64', 'sbin']) {
    tree.addFolder(`usr/${folder}`);
    tree.addLink(folder, `usr/${folder}`);
  }
  // Places to mount on, since the root file system is read-only.
  for (const folder of ['dev', 'etc', 'proc', 'run', 'sys', 'var/lib']) tree.addFolder(folder);
  for (const folder of ['tmp', 'var/tmp']) tree.addFolder(folder, { mode: 0o1777 });
  tree.addFolder('data', { ownerId: USER_ID });
  tree.addFile('etc/passwd', passwd());
  tree.addFile('etc/group', `root:x:0:\nairlift:x:${USER_ID}:\n`);
  // Without it glibc asks the name server before /etc/hosts, in which Kubernetes writes aliases of a Pod.
  tree.addFile('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
}

function passwd(): string {
  return [
    'root:x:0:0:root:/tmp:/usr/sbin/nologin',
    `airlift:x:${USER_ID}:${USER_ID}:Airlift:/tmp:/usr/sbin/nologin`,
    '',
  ].join('\n');
}

function debianComponent(
  name: string,
  { version, sha256 }: LockedFile,
  about: { readonly release: string; readonly platform: Platform; readonly copyright: string },
): Component {
  const qualifiers = `arch=${about.platform.debian}&distro=debian-${about.release}`;
  return {
    kind: 'library',
    name,
    version,
    purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?${qualifiers}`,
    digest: { algorithm: 'SHA-256', value: sha256 },
    licenses: licensesOf(about.copyright),
  };
}

/** The names in a copyright file: those of its machine-readable form, and the common licences it refers to. */
export function licensesOf(copyright: string): readonly string[] {
  const named = /^Format: \S*copyright-format/m.test(copyright)
    ? [...copyright.matchAll(/^License:[ \t]*(\S.*)$/gm)].map(([, name = '']) => name.trim())
    : [];
  const referred = [...copyright.matchAll(/\/usr\/share\/common-licenses\/([A-Za-z]+(?:-[0-9.]*[0-9])?)/g)].map(
    ([, name = '']) => name,
  );
  return [...new Set([...named, ...referred])].toSorted();
}
