import { configMapKind } from '../../../api/core-kinds.ts';
import { uploadTokenRequestKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import { ProblemError } from '../../../domain/problems.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { UploadTicket } from '../../../ports/upload.ts';
import type { ImportParts } from '../import-world.ts';
import { observeDataVolume } from '../observe/observe-data-volume.ts';
import type { DiskPlan } from '../plan-record.ts';

/** Where CDI publishes whom its upload proxy is vouched for by. */
const SIGNER = { name: 'cdi-uploadproxy-signer-bundle', key: 'ca-bundle.crt' };

/**
 * Lets one disk be sent to its DataVolume: the token is CDI's own, for this claim, and over after five minutes, which is looked at only when an upload begins. Undefined while CDI takes nothing.
 * @throws ProblemError `UploadNotReady` when CDI gives no token
 */
export async function uploadTicketOf(
  parts: Pick<ImportParts, 'cluster' | 'objects' | 'uploads'>,
  machineImport: VirtualMachineImport,
  { claimName }: DiskPlan,
  options: CallOptions,
): Promise<UploadTicket | undefined> {
  const { cluster, uploads } = parts;
  const { namespace = '' } = machineImport.metadata;
  if (uploads === undefined)
    throw new ProblemError('TargetKindNotInstalled', 'the import was planned by an installation that uploads to CDI');
  const seen = await observeDataVolume(parts, machineImport, { claimName }, options);
  if (seen.state !== 'importing' || seen.takesUpload !== true) return undefined;
  const request = {
    apiVersion: uploadTokenRequestKind.apiVersion,
    kind: uploadTokenRequestKind.kind,
    metadata: { name: claimName, namespace },
    spec: { pvcName: claimName },
  };
  const { status } = await cluster.create(uploadTokenRequestKind, request, options);
  if (status?.token === undefined)
    throw new ProblemError('UploadNotReady', `CDI gave no token for claim "${claimName}"`);
  const bundle = await cluster.get(configMapKind, { namespace: uploads.namespace, name: SIGNER.name }, options);
  return { url: uploads.url, token: status.token, ca: bundle?.data?.[SIGNER.key] };
}
