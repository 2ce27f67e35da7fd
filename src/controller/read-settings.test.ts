import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readSettings } from './read-settings.ts';

const least = { AIRLIFT_NAMESPACE: 'harvester-system', AIRLIFT_POD: 'airlift-0', AIRLIFT_IMAGE: 'airlift:1' };

describe("the controller's settings", () => {
  test('need little, and the rest has defaults', () => {
    expect(readSettings(least, 'abc')).toEqual({
      namespace: 'harvester-system',
      identity: 'airlift-0_abc',
      leaseName: 'airlift-controller',
      healthPort: 8081,
      lookEveryMs: 30_000,
      crossNamespaceSecrets: 'allow',
      endpoint: {
        port: 8443,
        host: undefined,
        names: ['harvester-vm-import-controller.harvester-system.svc'],
        secretName: 'airlift-endpoint',
      },
      worker: {
        image: 'airlift:1',
        endpointUrl: 'https://harvester-vm-import-controller.harvester-system.svc:8443',
        resources: {},
        userId: 107,
        isRootAllowed: false,
        imagePullSecrets: [],
      },
      limits: { total: 16, perHost: 4, perNode: 4 },
    });
  });

  test('take what is given', () => {
    const given = readSettings(
      {
        ...least,
        AIRLIFT_ENDPOINT_URL: 'https://10.11.0.1:9443',
        AIRLIFT_ENDPOINT_PORT: '9443',
        AIRLIFT_TRANSFERS_PER_HOST: '2',
        AIRLIFT_HEALTH_PORT: '9000',
        AIRLIFT_LOOK_SECONDS: '5',
        AIRLIFT_SECRETS_OF_OTHER_NAMESPACES: 'deny',
        AIRLIFT_WORKER_RESOURCES: '{"requests":{"cpu":"1"},"limits":{"memory":"384Mi"}}',
        AIRLIFT_WORKER_ROOT: 'true',
        AIRLIFT_WORKER_PRIORITY_CLASS: 'low',
        AIRLIFT_IMAGE_PULL_SECRETS: 'one, two',
      },
      'abc',
    );
    expect(given.endpoint.names).toEqual(['10.11.0.1', 'harvester-vm-import-controller.harvester-system.svc']);
    expect(given.limits.perHost).toBe(2);
    expect(given).toMatchObject({ healthPort: 9000, lookEveryMs: 5000, crossNamespaceSecrets: 'deny' });
    expect(given.worker).toMatchObject({
      resources: { requests: { cpu: '1' }, limits: { memory: '384Mi' } },
      isRootAllowed: true,
      priorityClassName: 'low',
      imagePullSecrets: ['one', 'two'],
    });
  });

  test('name CDI where disks are to be sent to it', () => {
    expect(readSettings({ ...least, AIRLIFT_CDI_NAMESPACE: 'cdi' }, 'abc').uploads).toEqual({
      namespace: 'cdi',
      url: 'https://cdi-uploadproxy.cdi.svc/v1beta1/upload',
    });
    const url = 'https://uploads.example/v1beta1/upload';
    const given = { ...least, AIRLIFT_CDI_NAMESPACE: 'cdi', AIRLIFT_UPLOAD_PROXY_URL: url };
    expect(readSettings(given, 'abc').uploads?.url).toBe(url);
  });

  test('a value that a template left empty is none', () => {
    expect(readSettings({ ...least, AIRLIFT_TRANSFERS: '', AIRLIFT_WORKER_RESOURCES: '' }, 'abc').limits.total).toBe(
      16,
    );
  });

  test('that are wrong are all named at once', () => {
    const wrong = () =>
      readSettings(
        { AIRLIFT_POD: 'a', AIRLIFT_IMAGE: 'b', AIRLIFT_TRANSFERS: '0', AIRLIFT_WORKER_RESOURCES: '{' },
        'x',
      );
    expect(wrong).toThrow(expect.objectContaining({ code: 'ControllerSettingsWrong' }));
    for (const name of ['AIRLIFT_NAMESPACE', 'AIRLIFT_TRANSFERS', 'AIRLIFT_WORKER_RESOURCES'])
      expect(wrong).toThrow(name);
    expect(() => readSettings({ ...least, AIRLIFT_ENDPOINT_URL: 'http://plain' }, 'x')).toThrow('AIRLIFT_ENDPOINT_URL');
  });
});

test('every variable is explained', () => {
  const page = readFileSync(new URL('../../docs/controller.md', import.meta.url), 'utf8');
  const code = readFileSync(new URL('./read-settings.ts', import.meta.url), 'utf8');
  const named = new Set(code.match(/^ {2}AIRLIFT_[A-Z_]+/gm)?.map((each) => each.trim()));
  const explained = new Set(page.match(/^\| `AIRLIFT_[A-Z_]+/gm)?.map((each) => each.slice(3)));
  expect([...explained].toSorted()).toEqual([...named].toSorted());
  expect(named.size).toBeGreaterThan(10);
});
