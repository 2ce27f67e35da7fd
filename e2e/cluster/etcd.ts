import { readdir, readFile } from 'node:fs/promises';

/** Lets etcd forget all versions but the current ones, as it does every five minutes in a real cluster. */
export async function compactEtcd(clusterFolder: string): Promise<void> {
  const etcd = await findEtcd(clusterFolder);
  // etcd's gRPC gateway (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/).
  const { header } = (await ask(`${etcd}/v3/maintenance/status`, {})) as { header: { revision: string } };
  await ask(`${etcd}/v3/kv/compaction`, { revision: header.revision, physical: true });
}

async function ask(url: string, body: object): Promise<unknown> {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return await answer.json();
}

/** The address is in the arguments of the process whose data are in the cluster's folder. */
async function findEtcd(clusterFolder: string): Promise<string> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // Processes end while they are looked at.
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (!args.some((arg) => arg.startsWith(`--data-dir=${clusterFolder}`))) continue;
    const address = args.find((arg) => arg.startsWith('--listen-client-urls='))?.split('=')[1];
    if (address !== undefined) return address;
  }
  throw new Error(`no etcd has its data in ${clusterFolder}`);
}
