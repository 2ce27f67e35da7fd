import { describe, expect, test } from 'vitest';
import { configMapKind } from '../api/core-kinds.ts';
import { createCertificateAuthority } from '../testing/cluster/certificate-authority.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { ScriptedApi } from '../testing/scripted-api.ts';
import type { ApiAccess, Credentials } from './api-access.ts';
import { ApiConnection } from './api-connection.ts';

const request = { asked: { verb: 'get', kind: configMapKind, name: 'x' }, method: 'GET', path: '/x' } as const;

async function open(hosts: readonly string[], access: (caPem: string) => Partial<ApiAccess> = () => ({})) {
  const authority = await createCertificateAuthority('test');
  const server = await authority.issue({ commonName: 'server', hosts });
  const api = await ScriptedApi.start(() => ({ body: { ok: true } }), {
    tls: { ...server, clientCaPem: authority.certificatePem },
  });
  let credentials: Credentials = { headers: {} };
  const connection = new ApiConnection(
    {
      origin: 'the test',
      server: api.url,
      readCa: async () => authority.certificatePem,
      isUnverified: false,
      namespace: 'default',
      identity: { current: async () => credentials, refuse: () => false },
      remarks: [],
      ...access(authority.certificatePem),
    },
    { clock: new FakeClock() },
  );
  return {
    api,
    authority,
    connection,
    become: (next: Credentials) => {
      credentials = next;
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

describe('ApiConnection', () => {
  test('trusts the CA it was given, and shows its certificate', async () => {
    await using opened = await open(['127.0.0.1']);
    const { certificatePem, keyPem } = await opened.authority.issue({ commonName: 'me' });
    opened.become({ headers: {}, certificate: { certificatePem, keyPem } });
    expect(await opened.connection.ask(request)).toEqual({ ok: true });
    expect(opened.api.requests[0]?.clientName).toBe('me');
  });

  test('shows another certificate from the next request on', async () => {
    await using opened = await open(['127.0.0.1']);
    for (const commonName of ['one', 'two']) {
      const { certificatePem, keyPem } = await opened.authority.issue({ commonName });
      opened.become({ headers: {}, certificate: { certificatePem, keyPem } });
      await opened.connection.ask(request);
      await opened.connection.ask(request);
    }
    expect(opened.api.requests.map(({ clientName }) => clientName)).toEqual(['one', 'one', 'two', 'two']);
  });

  test('a server that another CA vouches for is not talked to', async () => {
    const other = await createCertificateAuthority('other');
    await using opened = await open(['127.0.0.1'], () => ({ readCa: async () => other.certificatePem }));
    await expect(opened.connection.ask(request)).rejects.toMatchObject({ code: 'ClusterCertificateUntrusted' });
    expect(opened.api.requests).toEqual([]);
  });

  test('a CA that was renewed meanwhile is read again after the refusal', async () => {
    const old = await createCertificateAuthority('old');
    const cas = [old.certificatePem];
    await using opened = await open(['127.0.0.1'], (caPem) => ({ readCa: async () => cas.shift() ?? caPem }));
    await expect(opened.connection.ask(request)).rejects.toMatchObject({ code: 'ClusterCertificateUntrusted' });
    expect(await opened.connection.ask(request)).toEqual({ ok: true });
  });

  test('a certificate for another host is refused, unless that is the name to be checked', async () => {
    await using refused = await open(['inner.example']);
    await expect(refused.connection.ask(request)).rejects.toMatchObject({
      code: 'ClusterCertificateUntrusted',
      message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
    await using named = await open(['inner.example'], () => ({ serverName: 'inner.example' }));
    expect(await named.connection.ask(request)).toEqual({ ok: true });
  });

  test('without checking, as asked for, anybody is believed', async () => {
    await using opened = await open(['inner.example'], () => ({ isUnverified: true, readCa: async () => undefined }));
    expect(await opened.connection.ask(request)).toEqual({ ok: true });
  });

  test('a server that does not speak TLS is told as such', async () => {
    await using api = await ScriptedApi.start(() => ({ body: {} }));
    const server = new URL(api.url.href.replace('http:', 'https:'));
    await using opened = await open(['127.0.0.1'], () => ({ server }));
    await expect(opened.connection.ask(request)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
  });

  test('closed, it asks nothing any more', async () => {
    await using opened = await open(['127.0.0.1']);
    await opened.connection.ask(request);
    await opened.connection[Symbol.asyncDispose]();
    await expect(opened.connection.ask(request)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    expect(opened.api.requests.length).toBe(1);
  });
});
