import type { MappedHardware } from '../domain/mapping/mapped-machine.ts';

interface Upload {
  readonly claimName: string;
  readonly fileName: string;
  readonly format: 'qcow2' | 'raw';
}

/**
 * The comment at the head of a manifest. The order matters: the claims first, with CDI's upload annotation; then the uploads into them (`--no-create`,
 * since the claims are there); the machine is started last, because KubeVirt would start it on empty claims without complaint.
 */
export function renderInstructions(hardware: MappedHardware, uploads: readonly Upload[], fileName: string): string {
  const lines = [
    `Machine ${hardware.name}, imported by Airlift. Its disks lie beside this file; nothing is in a cluster yet.`,
    '',
    ...withVirtctl(hardware, uploads, fileName),
    '',
    ...withHarvester(hardware, fileName),
  ];
  return lines
    .flatMap((line) => line.split(/[\p{Control}\u2028\u2029]/u))
    .map((line) => `# ${line}`.trimEnd())
    .join('\n')
    .concat('\n');
}

function withVirtctl(hardware: MappedHardware, uploads: readonly Upload[], fileName: string): string[] {
  const isHalted = hardware.runStrategy === 'Halted';
  const inNamespace = namespaceFlag(hardware);
  const manifest = shellWord(fileName);
  const claimsOnly = isHalted ? '' : ' -l app.kubernetes.io/component=disk';
  const start = `'{"spec":{"runStrategy":"RerunOnFailure"}}'`;
  return [
    'Any cluster with KubeVirt and CDI (kubectl and virtctl), in the folder of this file:',
    `  1. Create the ${isHalted ? 'claims and the machine, which stays off' : 'claims only; the machine would start on empty disks'}:`,
    `       kubectl apply -f ${manifest}${claimsOnly}`,
    '  2. Fill the claims (add --uploadproxy-url=https://... where the cluster does not tell its address):',
    ...uploads.map(
      (each) =>
        `       virtctl image-upload pvc ${shellWord(each.claimName)} --no-create --image-path=${shellWord(each.fileName)}${inNamespace}`,
    ),
    ...(uploads.some((each) => each.format === 'qcow2')
      ? ['     CDI needs scratch space for each qcow2 file while it unpacks it.']
      : []),
    isHalted ? '  3. Start the machine:' : '  3. Create the machine, which starts:',
    isHalted
      ? `       kubectl patch virtualmachine ${shellWord(hardware.name)} --type merge -p ${start}${inNamespace}`
      : `       kubectl apply -f ${manifest}`,
  ];
}

function withHarvester(hardware: MappedHardware, fileName: string): string[] {
  const namespace = hardware.namespace ?? 'default';
  return [
    "Harvester, where CDI's upload proxy is not reachable:",
    `  1. Upload each disk file as an image (Images > Create > Upload), namespace ${namespace}; wait until it is active.`,
    "  2. Look up each image's name and class:",
    `       kubectl get virtualmachineimages.harvesterhci.io -n ${shellWord(namespace)} -o custom-columns=IMAGE:.metadata.name,FILE:.spec.displayName,CLASS:.status.storageClassName`,
    '  3. In each PersistentVolumeClaim below replace the three cdi.kubevirt.io annotations by',
    `       harvesterhci.io/imageId: ${namespace}/<image>`,
    '     and set storageClassName to the class and accessModes to [ReadWriteMany].',
    `  4. kubectl apply -f ${shellWord(fileName)}; then press Start.`,
  ];
}

function namespaceFlag(hardware: MappedHardware): string {
  return hardware.namespace === undefined ? '' : ` -n ${shellWord(hardware.namespace)}`;
}

/** People paste these lines into a shell: what is not plainly a word is quoted. */
function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
