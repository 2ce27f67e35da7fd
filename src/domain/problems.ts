/** What may be done about a problem by itself: nothing, trying again with growing pauses, or looking again at a known time. */
export type Retry = 'never' | 'backoff' | { readonly afterMs: number };

export interface Problem {
  readonly summary: string;
  /** One imperative sentence with the exact thing to check or run. */
  readonly remedy: string;
  readonly retry: Retry;
}

/** Every situation a user can meet, described once: preflight predicts it, a transfer throws it, a report and the errors page explain it. */
const catalogue = {
  // --- the archive and its descriptor
  NotAnOva: {
    summary: 'The source is not an OVA, OVF or disk image.',
    remedy:
      'Check with `tar tf <file>` that the file is a tar archive holding an .ovf, or name the .ovf or folder itself.',
    retry: 'never',
  },
  ArchiveTruncated: {
    summary: 'The archive ends before its last member does.',
    remedy: 'Compare the file size with the original and copy or export it again.',
    retry: 'never',
  },
  ArchiveCorrupt: {
    summary: 'The archive has a damaged member header.',
    remedy: 'Check the copy with `tar tvf <file>` and export the machine again when that fails too.',
    retry: 'never',
  },
  ArchiveMemberDuplicate: {
    summary: 'Two members of the archive have the same name, so it is not certain which one is meant.',
    remedy: 'Unpack the archive, keep the right file and import the folder.',
    retry: 'never',
  },
  ArchiveMemberUnsafe: {
    summary: 'A file name in the archive or descriptor is absolute, leaves the folder, or is a link.',
    remedy: 'Do not trust this file; have it exported again by a tool that writes plain file names.',
    retry: 'never',
  },
  OvfMalformed: {
    summary: 'The OVF descriptor cannot be understood.',
    remedy: 'Validate the .ovf at the named place, or export the machine again.',
    retry: 'never',
  },
  OvfTooLarge: {
    summary: 'The OVF descriptor is larger or deeper nested than any real one.',
    remedy: 'Check where the file comes from; a real descriptor has less than 16 MiB.',
    retry: 'never',
  },
  OvfEntityRefused: {
    summary:
      'The OVF descriptor has a document type declaration or defines entities, which can read files or exhaust memory.',
    remedy: 'Remove the DOCTYPE from the .ovf, and its line from the .mf, when you trust its origin.',
    retry: 'never',
  },
  OvfUnsupported: {
    summary: 'The OVF descriptor requires something that cannot be honoured here.',
    remedy: 'Export the machine without the named section, or set ovf:required="false" on it when it can be ignored.',
    retry: 'never',
  },
  DeploymentUnknown: {
    summary: 'The chosen deployment option is not in the descriptor.',
    remedy: 'Choose one of the named options with `--deployment <id>`.',
    retry: 'never',
  },
  MachineNotFound: {
    summary: 'There is no machine of that name.',
    remedy: 'Run `airlift inspect <source>` and use one of the names it lists.',
    retry: 'never',
  },
  MachineAmbiguous: {
    summary: 'More than one machine fits.',
    remedy: 'Name one of the listed machines by its id.',
    retry: 'never',
  },
  DiskFileMissing: {
    summary: 'A file that the descriptor or disk image names is not there.',
    remedy: 'Put the named file beside the descriptor, or export the machine again.',
    retry: 'never',
  },
  ManifestMalformed: {
    summary: 'The manifest (.mf) has a line that cannot be understood.',
    remedy: 'Write the manifest anew, for instance with `sha256sum --tag`, or remove it to import without its digests.',
    retry: 'never',
  },
  ManifestMissing: {
    summary: 'There is no manifest, so nothing proves that the files are as they were exported.',
    remedy: 'Export with a manifest when you can; the copy itself is verified all the same.',
    retry: 'never',
  },
  ManifestIncomplete: {
    summary: 'The manifest does not mention a file that the descriptor names.',
    remedy: 'Export the machine again when every file should be covered.',
    retry: 'never',
  },
  DigestMismatch: {
    summary: 'A file differs from the digest in the manifest.',
    remedy: 'Copy or export the file again; its content is not what was exported.',
    retry: 'never',
  },
  SignatureInvalid: {
    summary: 'The signature of the manifest does not fit it.',
    remedy: 'Do not trust this file; get it again from its publisher.',
    retry: 'never',
  },
  SignatureUntrusted: {
    summary: 'The manifest is signed by a certificate that nothing given here vouches for.',
    remedy: "Give the publisher's CA with `--signature-ca <file.pem>` to have the signer checked.",
    retry: 'never',
  },

  // --- disk images
  DiskFormatUnknown: {
    summary: 'The disk image is of no format we know.',
    remedy: 'Check with `qemu-img info <file>` what it is, and convert it to qcow2, raw or streamOptimized VMDK.',
    retry: 'never',
  },
  DiskFormatUnsupported: {
    summary: 'The disk image uses a variant or feature that is not supported.',
    remedy: 'Convert the disk with `qemu-img convert -O qcow2`, or export the machine as OVF.',
    retry: 'never',
  },
  DiskImageCorrupt: {
    summary: 'The disk image contradicts itself.',
    remedy: 'Export the disk again, and check the original with `qemu-img check` or `vmkfstools -x check`.',
    retry: 'never',
  },
  DiskImageTruncated: {
    summary: 'The disk image ends too early.',
    remedy: 'Export the disk again, or compare its size with the original and copy it again.',
    retry: 'never',
  },
  DiskGrainOversized: {
    summary: 'A compressed part of the disk image unpacks to more than the image allows.',
    remedy: 'Do not trust this file; export the disk again from its origin.',
    retry: 'never',
  },
  DiskTooLarge: {
    summary: 'The disk claims a size beyond the 64 TiB limit.',
    remedy: 'Check the size of the original disk; export it again when it is smaller.',
    retry: 'never',
  },
  DiskTooScattered: {
    summary: 'The disk image holds parts of blocks in an order in which they cannot be put together in memory.',
    remedy: 'Convert the image with `qemu-img convert -O qcow2` into one with clusters of 64 KiB, and use that.',
    retry: 'never',
  },
  DiskHasParent: {
    summary: 'The disk image holds only the changes to another image.',
    remedy: 'Remove the snapshots of the machine, or flatten the chain with `qemu-img convert`, and export again.',
    retry: 'never',
  },
  DiskEncrypted: {
    summary: 'The disk image is encrypted.',
    remedy: 'Decrypt the disk on the source before exporting it.',
    retry: 'never',
  },
  DiskCompressionUnsupported: {
    summary: 'The disk image is compressed by a method that is not supported.',
    remedy: 'Convert the disk with `qemu-img convert -O qcow2` first.',
    retry: 'never',
  },
  DiskSizeMismatch: {
    summary: 'The descriptor and the disk image disagree about the size of the disk.',
    remedy: 'Check which of the two is right; the size in the disk image is used.',
    retry: 'never',
  },
  MachineAssumed: {
    summary: 'A lone disk image does not say what machine it belongs to, so a small one is assumed.',
    remedy: 'Set CPU, memory, firmware and networks in the machine.yaml that is written, or import an OVF.',
    retry: 'never',
  },
  DiskEmpty: {
    summary: 'The disk has no file: the machine starts with an empty one of this size.',
    remedy: 'Nothing needs to be done.',
    retry: 'never',
  },

  // --- reaching and reading the source
  SourceNotFound: {
    summary: 'There is nothing at this place.',
    remedy: 'Check the path or address for spelling.',
    retry: 'never',
  },
  SourceUnreachable: {
    summary: 'The server of the source cannot be reached.',
    remedy: 'Check from this machine that the host name resolves and the port answers: `curl -I <url>`.',
    retry: 'backoff',
  },
  SourceAuthRequired: {
    summary: 'The server asks for credentials or refuses the ones given.',
    remedy:
      'Put the user in the URL or in `--user`, and the password in AIRLIFT_PASSWORD or `--password-file`; on a cluster put both into the Secret that `spec.credentials` of the source names.',
    retry: 'never',
  },
  SourceForbidden: {
    summary: 'The source may not be read by this user.',
    remedy: 'Give the user read permission on the named file or address.',
    retry: 'never',
  },
  SourceBusy: {
    summary: 'The server is too busy to answer.',
    remedy: 'Run the same command again later; it continues where it stopped.',
    retry: 'backoff',
  },
  SourceFailed: {
    summary: 'The server answers with an error.',
    remedy: "Look into the server's log for the named request, then run the same command again.",
    retry: 'backoff',
  },
  SourceClosedEarly: {
    summary: 'The server closed the connection before all bytes had come.',
    remedy: 'Run the same command again; it continues where it stopped.',
    retry: 'backoff',
  },
  SourceStalled: {
    summary: 'The source stopped sending.',
    remedy: 'Check the link and the server, then run the same command again; it continues where it stopped.',
    retry: 'backoff',
  },
  SourceRangeIgnored: {
    summary: 'The server answered a request for a part of the file with something else.',
    remedy: 'Check proxies between here and the server, or download the file and import the local copy.',
    retry: 'never',
  },
  SourceRangesRequired: {
    summary: 'This disk format can only be read with random access, which the source does not give.',
    remedy: 'Download the file and import the local copy, or serve it from a server that supports ranges.',
    retry: 'never',
  },
  SourceChanged: {
    summary: 'The source changed since the transfer began.',
    remedy:
      'Run the command again with `--restart`, on a cluster `airlift retry <import>`, to discard what was copied and begin anew.',
    retry: 'never',
  },
  SourceRedirectLoop: {
    summary: 'The server redirects too often.',
    remedy: 'Use the final address of the file; `curl -IL <url>` shows the redirects.',
    retry: 'never',
  },
  SourceRedirectRefused: {
    summary: 'The server redirects to an address that may not be followed.',
    remedy: 'Use the final address of the file directly when you trust it.',
    retry: 'never',
  },
  SourceCertificateUntrusted: {
    summary: 'The certificate of the server is not trusted.',
    remedy:
      'Give the CA that signed it with `--ca <file.pem>`; on a cluster put it into the Secret of the source, or set its `spec.insecureSkipTLSVerify`.',
    retry: 'never',
  },
  SourceTlsUnverified: {
    summary: 'The identity of the server is not checked because `--insecure` or `insecureSkipTLSVerify` says so.',
    remedy:
      'Give the CA that signed its certificate with `--ca <file.pem>` instead; on a cluster put it into the Secret of the source.',
    retry: 'never',
  },
  SourceUnproven: {
    summary: 'The server gives neither an ETag nor a modification time, so nothing shows whether the file changed.',
    remedy: 'Download the file and import the local copy when it must be possible to continue an interrupted import.',
    retry: 'never',
  },
  SourceReadFailed: {
    summary: 'The source cannot be read.',
    remedy: 'Check the disk that holds the file (`dmesg`, `smartctl`), then run the same command again.',
    retry: 'backoff',
  },
  SourceKindUnsupported: {
    summary: 'This kind of source is not supported.',
    remedy: 'Name an .ova, an .ovf, a folder with an .ovf, or an http(s) address of an .ova.',
    retry: 'never',
  },

  // --- the target
  TargetExists: {
    summary: 'There is already a machine at the target.',
    remedy: 'Choose another name with `--name`, another folder, or remove the existing one.',
    retry: 'never',
  },
  TargetBusy: {
    summary: 'Another process is using the target.',
    remedy:
      'Wait for the named process to end, or stop it, or unmount the named device; then run the same command again.',
    retry: { afterMs: 10_000 },
  },
  TargetNotWritable: {
    summary: 'The target cannot be written.',
    remedy: 'Give this user write permission on the named folder or device, or choose another one with `--to`.',
    retry: 'never',
  },
  TargetFull: {
    summary: 'There is not enough space at the target.',
    remedy: 'Free space at the target and run the same command again; it continues where it stopped.',
    retry: { afterMs: 60_000 },
  },
  TargetTooSmall: {
    summary: 'A device is smaller than the disk that is to be written to it.',
    remedy: 'Enlarge the named device to at least the size of the disk, or name a larger one.',
    retry: 'never',
  },
  TargetLarger: {
    summary: 'A device is larger than the disk that is written to it; what lies behind the disk stays as it is.',
    remedy: 'Name a device of the same size when the guest should not find room, or old data, behind its disk.',
    retry: 'never',
  },
  TargetDevicesMismatch: {
    summary: 'The devices do not fit the disks one to one.',
    remedy: 'Give one device per disk, each a different one, in the order that `airlift inspect` lists the disks.',
    retry: 'never',
  },
  TargetSpaceUncertain: {
    summary: 'The target may not have enough space: the source cannot tell how much of the disk is data.',
    remedy:
      'Make sure that the named number of bytes is free, or watch the space during the import; it can be continued.',
    retry: 'never',
  },
  TargetWriteFailed: {
    summary: 'Writing to the target failed.',
    remedy: 'Check the disk of the target (`dmesg`, `smartctl`), then run the same command again.',
    retry: 'backoff',
  },
  TargetReadFailed: {
    summary: 'Reading from the target failed.',
    remedy: 'Check the disk of the target (`dmesg`, `smartctl`), then run the same command again.',
    retry: 'backoff',
  },
  TargetKindUnsupported: {
    summary: 'This kind of target is not supported.',
    remedy:
      'Write `--to dir:<folder>` with `?format=qcow2` or `?format=raw`, or `--to "device:<device>,...?state=<folder>"`.',
    retry: 'never',
  },
  CheckpointUnusable: {
    summary: 'The record of an earlier, interrupted run cannot be used.',
    remedy:
      'Run the command again with `--restart`, on a cluster `airlift retry <import>`, to discard what was copied and begin anew.',
    retry: 'never',
  },
  PlanChanged: {
    summary: 'The interrupted import used other options than this one.',
    remedy: 'Use the same options to continue, or `--restart` to discard what was copied and begin anew.',
    retry: 'never',
  },
  VerificationFailed: {
    summary: 'The disk on the target differs from what was read from the source.',
    remedy: 'Do not use this disk: check memory and storage of the target, then import again.',
    retry: 'never',
  },
  VerificationSkipped: {
    summary:
      'The written disk was not read back and compared, because `--verify none` or `spec.transfer.verify` says so.',
    remedy:
      'Import with `--verify readback`, on a cluster with `spec.transfer.verify: readback`, to have every byte compared.',
    retry: 'never',
  },
  NothingToMeasure: {
    summary: 'There is nothing to measure by: the machine has no disk with data that can be read in the given time.',
    remedy: 'Name a machine whose disks hold data, or give more time with `--seconds`.',
    retry: 'never',
  },
  ReportUnusable: {
    summary: 'The report cannot be used to verify an import.',
    remedy: 'Give the report.json that the import wrote, in its place beside the disks.',
    retry: 'never',
  },
  Interrupted: {
    summary: 'The work was interrupted.',
    remedy: 'Run the same command again; it continues where it stopped.',
    retry: 'never',
  },

  // --- what will be different on the target
  GuestMayNotBoot: {
    summary: 'The guest may not start: nothing shows that it has drivers for the disk bus it will find.',
    remedy:
      'Compare the bus in the plan with the drivers of the guest, choose another with `--disk-bus`, on a cluster with `spec.disks[].bus`, where they do not fit, and keep the original until the copy has started once.',
    retry: 'never',
  },
  NetworkNotMapped: {
    summary: 'A network of the source has no counterpart named, so the card will be on the pod network.',
    remedy:
      'Name the counterpart with `--network "<source network>=<namespace>/<name>"`, on a cluster in `spec.networkMapping` of the import.',
    retry: 'never',
  },
  HardwareChanged: {
    summary: 'Something about the hardware will be different on the target.',
    remedy: 'Read the plan to see what changes and why.',
    retry: 'never',
  },
  HardwareDropped: {
    summary: 'A device or setting has no counterpart on the target and is left out.',
    remedy: 'Read the plan to see what is left out and why.',
    retry: 'never',
  },

  // --- the Kubernetes API
  ClusterUnreachable: {
    summary: 'The Kubernetes API does not answer.',
    remedy: 'Check with `kubectl get --raw /readyz` from the same place that the named address answers.',
    retry: 'backoff',
  },
  ClusterBusy: {
    summary: 'The Kubernetes API asks for patience.',
    remedy: 'Wait; if it lasts, look with `kubectl get --raw /metrics` for flow control that rejects requests.',
    retry: 'backoff',
  },
  ClusterFailed: {
    summary: 'The Kubernetes API answers with an error of its own.',
    remedy: 'Look for the named request in the log of the kube-apiserver, and at the webhook it names, if any.',
    retry: 'backoff',
  },
  ClusterUnauthorized: {
    summary: 'The Kubernetes API does not accept the credentials.',
    remedy: 'Check with `kubectl auth whoami` who you are there, and renew the credentials of the named context.',
    retry: 'never',
  },
  ClusterForbidden: {
    summary: 'The Kubernetes API does not let this user do what is needed.',
    remedy:
      'Grant the named verb on the named resource by a Role or ClusterRole, then run the named `kubectl auth can-i`.',
    retry: 'backoff',
  },
  ClusterWriteRefused: {
    summary: 'A policy of the cluster does not let the object be written.',
    remedy: 'Read what the policy says and change the object, or the labels of the namespace, accordingly.',
    retry: 'backoff',
  },
  ClusterQuotaExceeded: {
    summary: 'The quota of the namespace is used up.',
    remedy: 'Raise the named quota, or remove what is not needed; `kubectl describe resourcequota` shows its use.',
    retry: { afterMs: 60_000 },
  },
  ClusterCertificateUntrusted: {
    summary: 'The certificate of the Kubernetes API is not trusted.',
    remedy: 'Put the CA that signed it into `certificate-authority-data` of the named cluster in the kubeconfig.',
    retry: 'never',
  },
  ClusterTlsUnverified: {
    summary: 'The identity of the Kubernetes API is not checked because the kubeconfig says so.',
    remedy: 'Replace `insecure-skip-tls-verify` in the kubeconfig by the CA of the cluster.',
    retry: 'never',
  },
  ClusterConflict: {
    summary: 'Somebody else changed the object meanwhile, or holds a field that was to be changed.',
    remedy: 'Nothing needs to be done where it is tried again; otherwise read the object again and repeat the change.',
    retry: 'backoff',
  },
  ClusterObjectExists: {
    summary: 'There is an object of this name already.',
    remedy: 'Look at it with `kubectl get`, and remove or rename one of the two.',
    retry: 'never',
  },
  ClusterObjectMissing: {
    summary: 'There is no object of this name.',
    remedy: 'Check name and namespace with `kubectl get --all-namespaces`.',
    retry: 'never',
  },
  ClusterObjectInvalid: {
    summary: 'The Kubernetes API refuses the object as it is.',
    remedy: 'Correct the fields that the answer names.',
    retry: 'never',
  },
  ClusterKindMissing: {
    summary: 'The cluster does not know this kind of object.',
    remedy:
      'Install what brings it: `airlift crd | kubectl apply --server-side -f -` for our own kinds, else the named product.',
    retry: 'backoff',
  },
  KubeconfigMissing: {
    summary: 'Nothing says which cluster is meant.',
    remedy: 'Name a kubeconfig by KUBECONFIG, or put one at `~/.kube/config`.',
    retry: 'never',
  },
  KubeconfigUnusable: {
    summary: 'The kubeconfig cannot be used.',
    remedy: 'Compare the named entry with what `kubectl config view` shows, and correct it.',
    retry: 'never',
  },
  KubeCredentialsFailed: {
    summary: 'The program or file that should give the credentials for the cluster does not.',
    remedy: 'Run the named program, or read the named file, by hand to see what is wrong with it.',
    retry: 'backoff',
  },
  LeadershipLost: {
    summary: 'The lease that makes this process the one in charge could not be renewed in time.',
    remedy: 'Check the connection to the Kubernetes API; another replica takes over, and this one stands by.',
    retry: 'backoff',
  },
  // --- imports on Kubernetes
  ImportFieldInvalid: {
    summary: 'A field of the import has a value that cannot be used.',
    remedy: 'Correct the named field with `kubectl edit virtualmachineimport <name>`; the import goes on by itself.',
    retry: 'never',
  },
  ImportSourceUnsupported: {
    summary: 'This installation cannot read this kind of source.',
    remedy:
      'Use a kind of source that the message names, with the apiVersion migration.harvesterhci.io/v1beta1 in `spec.sourceCluster` of the import.',
    retry: 'never',
  },
  SourceObjectMissing: {
    summary: 'The source that the import names does not exist.',
    remedy: 'Create the named source, or correct name and namespace in `spec.sourceCluster`.',
    retry: { afterMs: 30_000 },
  },
  SourceNotReady: {
    summary: 'The source is not ready.',
    remedy:
      'Read its message with `kubectl describe` on the named source, and correct its address, Secret or certificate.',
    retry: { afterMs: 15_000 },
  },
  SecretMissing: {
    summary: 'The Secret with the credentials does not exist.',
    remedy: 'Create the named Secret, or correct `spec.credentials` of the source.',
    retry: { afterMs: 30_000 },
  },
  SecretKeyMissing: {
    summary: 'The Secret lacks a key that the source needs.',
    remedy: 'Add the named key to the Secret with `kubectl edit secret <name>`.',
    retry: { afterMs: 30_000 },
  },
  StorageClassMissing: {
    summary: 'The storage class does not exist, or there is no default one.',
    remedy: 'Name one that `kubectl get storageclass` lists in `spec.storageClass`.',
    retry: { afterMs: 60_000 },
  },
  NetworkMissing: {
    summary: 'A network that the mapping names does not exist in the cluster.',
    remedy:
      'Name one that `kubectl get network-attachment-definitions -A` lists as `<namespace>/<name>` in `spec.networkMapping`.',
    retry: { afterMs: 60_000 },
  },
  LiveMigrationImpossible: {
    summary: 'The machine will not be able to move to another node while it runs.',
    remedy: 'Set `accessMode: ReadWriteMany` in `spec.target.volume` where the storage class can do it.',
    retry: 'never',
  },
  QuotaExceeded: {
    summary: 'A quota of the namespace does not leave room for the import.',
    remedy: 'Raise the named ResourceQuota, or import into another namespace.',
    retry: { afterMs: 60_000 },
  },
  ImportConflict: {
    summary: 'Another import wants to make the same machine.',
    remedy: 'Delete one of the two imports, or give this one another name in `spec.targetName`.',
    retry: { afterMs: 60_000 },
  },
  MachineExists: {
    summary: 'There is a VirtualMachine of this name already.',
    remedy: 'Set another name in `spec.targetName`, or remove the existing machine.',
    retry: { afterMs: 60_000 },
  },
  MachineNotReady: {
    summary: 'The imported machine does not become ready.',
    remedy:
      'Look for the cause with `kubectl describe vm,vmi <name>`; the import goes on when the machine runs, or set `spec.run: false` to finish without.',
    retry: { afterMs: 60_000 },
  },
  VolumeExists: {
    summary: 'There is a PersistentVolumeClaim of this name that the import did not make.',
    remedy: 'Name another one in `spec.disks[].claimName`, or remove the existing claim.',
    retry: { afterMs: 60_000 },
  },
  VolumeLost: {
    summary: 'The volume of a claim is gone.',
    remedy: 'Delete the named claim; the import makes a new one and copies the disk again.',
    retry: { afterMs: 60_000 },
  },
  VolumeNotBound: {
    summary: 'The claim for a disk gets no volume.',
    remedy:
      "Read the provisioner's message with `kubectl describe pvc <name>`: class, capacity and access mode have to fit.",
    retry: { afterMs: 30_000 },
  },
  TransferNotStarted: {
    summary: 'The Pod that copies the disk does not start.',
    remedy:
      'Give the Pod what its message says it waits for: a node, an image or a volume; `airlift describe import <name>` shows Pod and claim with their events.',
    retry: { afterMs: 60_000 },
  },
  TransferStalled: {
    summary: 'The transfer of a disk makes no progress.',
    remedy: 'Look at the source and the network; `airlift logs <import>` shows what the worker last did.',
    retry: { afterMs: 60_000 },
  },
  TransferNodeLost: {
    summary: 'The node on which a disk is being copied does not answer.',
    remedy:
      'Bring the node back, or delete its Node object when it is gone for good; no second worker starts before that is certain.',
    retry: { afterMs: 60_000 },
  },
  TransferFailed: {
    summary: 'The Pod that copies a disk ended without saying why.',
    remedy: 'Read its last lines with `airlift logs <import>`; it is started again by itself.',
    retry: 'backoff',
  },
  TransferInterrupted: {
    summary: 'The Pod that copies a disk was told to stop, as when its node is drained or it has to make room.',
    remedy:
      'Nothing needs to be done: what was copied is saved, and the next worker goes on from there; `kubectl describe job -l migration.harvesterhci.io/import-uid=<uid>` shows what it waits for.',
    retry: { afterMs: 1_000 },
  },
  TransferSuperseded: {
    summary: 'Another worker has taken over this transfer.',
    remedy: 'Leave it to the newer worker; this one ends by itself and writes no more.',
    retry: 'never',
  },
  ImportChanged: {
    summary: 'The import was edited so that its volumes would have to be other ones than those it has begun to fill.',
    remedy: 'Set the fields back, or set `spec.retry` to a new value to begin anew with new volumes.',
    retry: 'never',
  },
  TargetKindNotInstalled: {
    summary: 'The cluster cannot make this kind of target.',
    remedy: 'Set `spec.target` to `volume: {}`, or install what the named kind belongs to.',
    retry: { afterMs: 60_000 },
  },
  // --- the target `image`
  ImageNotInOrder: {
    summary:
      'The disk cannot be served as an image: its pieces lie in another order than on the disk, and the source can only be read from its start.',
    remedy:
      'Put the file on a web server that answers ranges (`curl -I` shows `accept-ranges: bytes`), or set `spec.target` to `volume: {}`.',
    retry: 'never',
  },
  ImageImportFailed: {
    summary: 'Harvester could not import the image; its own words are in the message.',
    remedy:
      'Look at `kubectl describe virtualmachineimage <name>` and at the free space of its storage class; the image is made anew by itself.',
    retry: 'backoff',
  },
  ImageNotDownloaded: {
    summary: 'The image is served, but nobody downloads it.',
    remedy:
      'Check that Pods in longhorn-system and cdi may reach the controller and the Pods of this namespace over HTTP (NetworkPolicies, proxy settings), and look at `kubectl describe virtualmachineimage <name>`.',
    retry: 'backoff',
  },
  ImageExists: {
    summary: 'There is an image of that name that this import did not make.',
    remedy: 'Remove the named VirtualMachineImage, or create the import under another name.',
    retry: 'never',
  },
  ImageMissing: {
    summary: 'An image that the old controller made for this import is gone or unusable.',
    remedy: 'Set `spec.retry` to a new value to import the disks anew.',
    retry: 'never',
  },

  // --- the target `dataVolume`
  UploadNotReady: {
    summary: 'CDI is not ready to take the disk yet.',
    remedy:
      'Wait, or look at `kubectl describe datavolume <name>` and at the Pod `cdi-upload-<name>` when it stays so; it is asked again by itself.',
    retry: { afterMs: 5_000 },
  },
  UploadRefused: {
    summary: 'CDI does not take the disk; its own words are in the message.',
    remedy:
      'Look at `kubectl describe datavolume <name>` and at the log of the Pod `cdi-upload-<name>`; the disk is sent again by itself.',
    retry: 'backoff',
  },
  UploadFailed: {
    summary: 'The disk did not arrive at CDI.',
    remedy:
      'Check that Pods of this namespace reach the Service cdi-uploadproxy, and look at `kubectl describe datavolume <name>`; the disk is sent again by itself.',
    retry: 'backoff',
  },
  DataVolumeExists: {
    summary: 'There is a DataVolume of that name that this import did not make.',
    remedy: 'Remove the named DataVolume, or name another claim in `spec.disks`.',
    retry: 'never',
  },

  // --- the controller in charge
  OldControllerRuns: {
    summary: 'The importer that Airlift replaces is running.',
    remedy: 'Disable its add-on, or scale the named Deployment to 0; Airlift begins by itself then.',
    retry: { afterMs: 30_000 },
  },
  ControllerSettingsWrong: {
    summary: "The controller's settings cannot be used.",
    remedy: 'Correct the named variables of its Deployment; `docs/controller.md` lists them.',
    retry: 'never',
  },
  ControllerMissing: {
    summary: 'No Airlift controller runs in this cluster.',
    remedy: 'Install Airlift there, and check it with `kubectl get deployment -A -l app.kubernetes.io/name=airlift`.',
    retry: 'never',
  },

  // --- worker and endpoint
  VolumeNotWritable: {
    summary: 'The worker may not write to the volume of the disk.',
    remedy:
      "For a block volume set `device_ownership_from_security_context = true` for containerd's CRI on the nodes (RKE2 and K3s: `nonroot-devices: true`); for one with a file system use a class whose driver gives it to the Pod's group (`fsGroupPolicy` of its CSIDriver); or allow workers to run as root without privileges (`AIRLIFT_WORKER_ROOT`).",
    retry: { afterMs: 60_000 },
  },
  EndpointUnreachable: {
    summary: "The worker cannot reach the controller's endpoint.",
    remedy:
      'Check with `kubectl get pods,endpointslices -n <namespace of Airlift>` that the controller runs, and that no NetworkPolicy stands between it and the worker; the copy goes on by itself.',
    retry: 'backoff',
  },
  EndpointRefused: {
    summary: "The controller's endpoint does not accept the caller as the worker of this transfer.",
    remedy:
      'Leave starting workers to the controller; when one of its own is refused, check with `kubectl auth can-i create tokenreviews --as=<its service account>` that it may review tokens.',
    retry: 'backoff',
  },
  EndpointNotUnderstood: {
    summary: 'Worker and controller do not understand each other.',
    remedy:
      'Compare the image of the worker with that of the controller; the next worker is started from the configured one.',
    retry: 'backoff',
  },
  TransferUnknown: {
    summary: 'The controller knows no transfer of this id.',
    remedy: 'Nothing needs to be done when the import was deleted; otherwise let the controller start the worker.',
    retry: 'never',
  },
  WorkerEnvironmentInvalid: {
    summary: 'The worker was started without what a transfer needs.',
    remedy: 'Leave starting it to the controller, or set the named variable as docs/contracts/worker.md says.',
    retry: 'never',
  },

  // --- sources on Kubernetes, and what surrounds the controller
  SourceFieldInvalid: {
    summary: 'A field of the source has a value that cannot be used.',
    remedy: 'Correct the named field with `kubectl edit <kind> <name>`; the source is tried again at once.',
    retry: 'never',
  },
  SecretValueInvalid: {
    summary: 'A value in the Secret of the source cannot be used.',
    remedy: 'Replace the named value with `kubectl edit secret <name>`; the source is tried again at once.',
    retry: { afterMs: 30_000 },
  },
  SecretNamespaceRefused: {
    summary: 'The source names a Secret of another namespace, which this installation does not allow.',
    remedy: 'Copy the Secret into the namespace of the source and set `spec.credentials.namespace` to it.',
    retry: 'never',
  },
  KindsOutdated: {
    summary: 'The definitions of our kinds are missing from the cluster, or are of another version.',
    remedy:
      'Run `airlift crd | kubectl apply --server-side --force-conflicts -f -`; stored objects are kept, and the controller looks again within 30 seconds.',
    retry: { afterMs: 30_000 },
  },
  HealthPortUnusable: {
    summary: 'The port for health and metrics cannot be listened on.',
    remedy: 'Choose a free port in the settings of the controller; `ss -ltnp` shows who holds the named one.',
    retry: 'never',
  },

  // --- the command line and a cluster
  ImportFinished: {
    summary: 'The import is over, and what it made belongs to its users now.',
    remedy:
      'To import the machine once more, run `airlift delete import <name>`, rename or remove the machine, and `airlift apply` the import again.',
    retry: 'never',
  },
  RelayImageUnknown: {
    summary: 'Nobody tells which image takes in a local file in the cluster.',
    remedy: 'Name the image of the installed Airlift with `--image`.',
    retry: 'never',
  },
  RelayNotStarted: {
    summary: 'The Pod that takes in a local file in the cluster does not run.',
    remedy: 'Look at `kubectl describe pod <name>`, then run the same command again.',
    retry: 'backoff',
  },
  ManifestUnreadable: {
    summary: 'The manifest cannot be applied.',
    remedy: 'Correct the named document; nothing of this manifest was applied.',
    retry: 'never',
  },

  // --- our kinds
  FieldNotUnderstood: {
    summary: 'A field of the object has a value that cannot be used.',
    remedy: 'Correct the named field with `kubectl edit`; `kubectl explain <kind>.<field>` says what it may be.',
    retry: 'never',
  },
} as const satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof catalogue;

export const problems: Readonly<Record<ProblemCode, Problem>> = catalogue;

/** Plain values without secrets, for logs and reports. */
export type ProblemContext = Readonly<Record<string, string | number | boolean | undefined>>;

/** The one error for whatever a user can meet. Bugs stay ordinary exceptions. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly context: ProblemContext;
  override readonly name = 'ProblemError';

  /** @param detail names the object and the numbers: "grain at file offset 66048 claims 9 MiB; this image allows 128 KiB" */
  constructor(
    code: ProblemCode,
    detail: string,
    options: { readonly cause?: unknown; readonly context?: ProblemContext } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.context = options.context ?? {};
  }

  get problem(): Problem {
    return problems[this.code];
  }
}

export function isProblem(error: unknown, ...codes: ProblemCode[]): error is ProblemError {
  return error instanceof ProblemError && (codes.length === 0 || codes.includes(error.code));
}
