// What somebody finds who may read everything in the namespace of an import and run programs in its worker: nothing that opens the source (ruling 17).
import { get } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import { BUSYBOX_IMAGE } from '../../src/testing/cluster/images/test-images.ts';
import { type Appliance, buildAppliance, ImportWorld } from './import-harness.ts';
import { importObject, PASSWORD, sourceObjects, USER } from './import-objects.ts';

const MIB = 1024 * 1024;
const TEAM = 'default';
const VAULT = 'vault';
const SECRETS = [PASSWORD, Buffer.from(PASSWORD).toString('base64'), btoa(`${USER}:${PASSWORD}`)];

describe.skipIf(!canStartNode())('a worker holds no credential of its source', () => {
  let world: ImportWorld;
  let web: Appliance;
  let worker: string;

  beforeAll(async () => {
    web = await buildAppliance(64 * MIB, 48 * MIB);
    world = await ImportWorld.start();
    const { cluster } = world;
    const server = await world.serve({ '/web.ova': web.ova });
    // The source and its account belong to others, who let this namespace import from it.
    await cluster.kubectl(['create', 'namespace', VAULT]);
    const volume = await cluster.node.createVolume({
      name: 'disk',
      sizeBytes: web.content.length,
      volumeMode: 'Block',
    });
    await world.startController();
    const spec = { storageClass: volume.storageClass, transfer: { maxRate: '500kB' } };
    await cluster.apply([
      ...sourceObjects({ name: 'files', url: server.url('/web.ova'), namespace: VAULT }),
      importObject({ name: 'web', source: 'files', sourceNamespace: VAULT }, spec),
      restrictedPod('thief'),
    ]);
    worker = await world.runningPodOf('web');
    // It has read something, so whoever keeps the account has used it by now.
    await world.eventually(async () => ((await world.diskOf('web'))?.doneBytes ?? 0) > 0);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  test('not in any object of its namespace, nor in its log', async () => {
    const reader = await namespaceReader();
    const as = { kubeconfigPath: reader };
    const { cluster } = world;
    const kinds = await cluster.kubectl(['api-resources', '--verbs=list', '--namespaced', '-o', 'name'], as);
    const names = kinds.split('\n').filter(Boolean);
    // What the API serves in parts (metrics, authorization) is not there to be listed.
    expect(names).toEqual(expect.arrayContaining(['secrets', 'configmaps', 'pods', 'events', 'jobs.batch']));
    const all = await cluster.kubectl(['get', names.join(','), '-n', TEAM, '-o', 'yaml', '--show-managed-fields'], as);
    expect(all).toContain('airlift-');
    expectNoSecret(all);
    expectNoSecret(await cluster.kubectl(['logs', worker, '-n', TEAM], as));
    await expect(cluster.kubectl(['get', 'secrets', '-n', VAULT], as)).rejects.toThrow(/forbidden/i);
    await expect(cluster.kubectl(['get', 'secrets', '-n', 'airlift-system'], as)).rejects.toThrow(/forbidden/i);
  });

  test('not in the environment, files, mounts or memory of its process', async () => {
    const found = JSON.parse(await exec(SEARCH, [...SECRETS.map(encoded), encoded('AIRLIFT_TRANSFER')]));
    expect(found.errors).toEqual([]);
    // The search does find what is there: the name of a variable, in the environment and in memory.
    const known = found.hits.filter(({ index }: { index: number }) => index === SECRETS.length);
    expect(known.map(({ place }: { place: string }) => place)).toEqual(
      expect.arrayContaining([expect.stringContaining('/environ'), expect.stringMatching(/\/mem$/)]),
    );
    expect(found.hits.filter(({ index }: { index: number }) => index < SECRETS.length)).toEqual([]);
    expect(found.memoryBytes).toBeGreaterThan(16 * MIB);
    expect(found.files).toBeGreaterThan(100);
  });

  test('nor does the endpoint give it to the worker itself, and its token is good for nothing else', async () => {
    const paths = ['', '/assignment', '/checkpoint', '/source/other.ova', '/source/web.ova', '/secret', '/source'];
    const answers = JSON.parse(await exec(ASK, paths));
    expect(answers.map(({ status }: { status: number }) => status)).toEqual([204, 200, 200, 502, 206, 400, 502]);
    expectNoSecret(JSON.stringify(answers));
    expect(await exec(ASK_API, [world.cluster.server])).toBe('401');
  });

  test("a token of another Pod is refused by the workers' endpoint", async () => {
    const { cluster } = world;
    const { metadata } = await world.readImport('web');
    const assignment = `${world.controllerUrl}/v1/transfers/${metadata.uid}.0/1/assignment`;
    const token = async (...more: string[]) =>
      (await cluster.kubectl(['create', 'token', 'default', '--audience=airlift', ...more])).trim();
    const boundTo = (name: string) => ['--bound-object-kind=Pod', `--bound-object-name=${name}`];
    expect(await statusOf(assignment)).toBe(401);
    expect(await statusOf(assignment, 'nonsense')).toBe(401);
    expect(await statusOf(assignment, await token())).toBe(403);
    expect(await statusOf(assignment, await token(...boundTo('thief')))).toBe(403);
    expect(await statusOf(assignment, await token(...boundTo(worker)))).toBe(200);
  });

  /** Reads every kind of object of the namespace, its Secrets too, and may run programs in its Pods. */
  async function namespaceReader(): Promise<string> {
    const { cluster } = world;
    const apiGroup = 'rbac.authorization.k8s.io';
    const metadata = { name: 'reader', namespace: TEAM };
    const rules = [
      { apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['pods/exec'], verbs: ['create'] },
    ];
    await cluster.apply([
      { apiVersion: `${apiGroup}/v1`, kind: 'Role', metadata, rules },
      {
        apiVersion: `${apiGroup}/v1`,
        kind: 'RoleBinding',
        metadata,
        subjects: [{ apiGroup, kind: 'User', name: 'reader' }],
        roleRef: { apiGroup, kind: 'Role', name: 'reader' },
      },
    ]);
    return (await cluster.createUser('reader')).kubeconfigPath;
  }

  /** Runs a script in the worker's container, where there is no shell but Node. */
  async function exec(script: string, args: readonly string[]): Promise<string> {
    const kubeconfigPath = await namespaceReader();
    const node = ['/usr/bin/node', '--input-type=module', '--eval', script, ...args];
    return await world.cluster.kubectl(['exec', worker, '-n', TEAM, '--', ...node], { kubeconfigPath });
  }
});

function expectNoSecret(text: string): void {
  for (const secret of SECRETS) expect(text.includes(secret), secret).toBe(false);
}

/** So that the search does not find itself, in its own arguments and those of whoever started it. */
function encoded(text: string): string {
  return Buffer.from(text, 'latin1').toString('hex');
}

/** Looks for texts in all processes of the container but itself, and in all files that can be read. */
const SEARCH = `
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
const wanted = process.argv.slice(1).map((hex) => Buffer.from(hex, 'hex'));
const found = { hits: [], errors: [], files: 0, memoryBytes: 0 };
const look = (place, bytes) => wanted.forEach((each, index) => {
  if (bytes.includes(each) && !found.hits.some((hit) => hit.place === place && hit.index === index)) found.hits.push({ place, index });
});
function quietly(action) { try { return action(); } catch { return undefined; } }
for (const pid of readdirSync('/proc').filter((name) => /^\\d+$/.test(name) && Number(name) !== process.pid)) {
  for (const name of ['environ', 'cmdline', 'mountinfo', 'maps']) {
    const bytes = quietly(() => readFileSync('/proc/' + pid + '/' + name));
    if (bytes === undefined) found.errors.push('/proc/' + pid + '/' + name); else look('/proc/' + pid + '/' + name, bytes);
  }
  const place = '/proc/' + pid + '/mem';
  const memory = quietly(() => openSync(place, 'r'));
  if (memory === undefined) { found.errors.push(place); continue; }
  for (const line of readFileSync('/proc/' + pid + '/maps', 'utf8').split('\\n')) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined) continue;
    const [start, end] = [parseInt(from, 16), parseInt(to, 16)];
    for (let at = start; at < end; at += 8388608) {
      const bytes = Buffer.alloc(Math.min(8388608 + 256, end - at));
      const read = quietly(() => readSync(memory, bytes, 0, bytes.length, at)) ?? 0;
      found.memoryBytes += read;
      look(place, bytes.subarray(0, read));
    }
  }
  closeSync(memory);
}
function walk(folder) {
  for (const name of quietly(() => readdirSync(folder)) ?? []) {
    const path = folder === '/' ? '/' + name : folder + '/' + name;
    if (path === '/proc' || path === '/sys') continue;
    const stats = quietly(() => lstatSync(path));
    if (stats?.isDirectory()) walk(path);
    if (!stats?.isFile() || stats.size > 67108864) continue;
    const bytes = quietly(() => readFileSync(path));
    if (bytes !== undefined) { found.files += 1; look(path, bytes); }
  }
}
walk('/');
console.log(JSON.stringify(found));
`;

/** Asks the endpoint as the worker does, with all that the worker has. */
const ASK = `
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
const env = Object.fromEntries(readFileSync('/proc/1/environ', 'latin1').split('\\0').map((each) => each.split(/=(.*)/s)));
const ca = readFileSync(env.AIRLIFT_ENDPOINT_CA);
const headers = { authorization: 'Bearer ' + readFileSync(env.AIRLIFT_TOKEN_FILE, 'utf8').trim(), range: 'bytes=0-9' };
const answers = [];
for (const what of process.argv.slice(1)) {
  const url = env.AIRLIFT_ENDPOINT + '/v1/transfers/' + env.AIRLIFT_TRANSFER + '/' + env.AIRLIFT_EPOCH + what;
  answers.push(await new Promise((resolve, reject) => get(url, { ca, headers }, (answer) => {
    let body = '';
    answer.setEncoding('latin1').on('data', (text) => { body += text; }).on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
  }).on('error', reject)));
}
console.log(JSON.stringify(answers));
`;

/** The token before the cluster's own API. */
const ASK_API = `
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
const token = readFileSync('/run/airlift/token', 'utf8').trim();
get(process.argv[1] + '/api/v1/namespaces/default/pods', { rejectUnauthorized: false, headers: { authorization: 'Bearer ' + token } }, (answer) => {
  answer.resume();
  process.stdout.write(String(answer.statusCode));
});
`;

function restrictedPod(name: string): object {
  const securityContext = {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    runAsUser: 107,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const container = { name: 'main', image: BUSYBOX_IMAGE, command: ['sleep', '1000'], securityContext };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: TEAM }, spec: { containers: [container] } };
}

/** Who asks is the question here, not who answers. */
async function statusOf(url: string, bearer?: string): Promise<number> {
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  return await new Promise((resolve, reject) => {
    get(url, { headers, rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject);
  });
}
