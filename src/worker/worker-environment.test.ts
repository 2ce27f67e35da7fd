import { expect, test } from 'vitest';
import { readEnvironment } from './worker-environment.ts';

const given = {
  AIRLIFT_ENDPOINT: 'https://airlift.example:8443/',
  AIRLIFT_ENDPOINT_CA: '/run/airlift/ca.crt',
  AIRLIFT_TRANSFER: 'uid.0',
  AIRLIFT_EPOCH: '3',
  AIRLIFT_TOKEN_FILE: '/run/airlift/token',
};

test('a worker that serves an image has no volume', () => {
  expect(readEnvironment(given)).toEqual({
    endpointUrl: 'https://airlift.example:8443',
    caFile: '/run/airlift/ca.crt',
    run: { id: 'uid.0', epoch: 3 },
    tokenFile: '/run/airlift/token',
    volumePath: undefined,
    checkpointEveryMs: undefined,
  });
  expect(readEnvironment({ ...given, AIRLIFT_CHECKPOINT_SECONDS: '2' }).checkpointEveryMs).toBe(2000);
  expect(readEnvironment({ ...given, AIRLIFT_VOLUME: '/dev/disk0' }).volumePath).toBe('/dev/disk0');
});

test('every variable that is wrong is named at once', () => {
  const wrong = { ...given, AIRLIFT_ENDPOINT: 'http://airlift.example', AIRLIFT_EPOCH: 'three', AIRLIFT_TRANSFER: '' };
  expect(() => readEnvironment(wrong)).toThrow(/AIRLIFT_ENDPOINT: .*AIRLIFT_TRANSFER: .*AIRLIFT_EPOCH: /);
});
