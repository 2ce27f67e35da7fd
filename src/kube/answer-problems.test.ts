import { describe, expect, test } from 'vitest';
import { configMapKind, jobKind, nodeKind, secretKind } from '../api/core-kinds.ts';
import { problemOfStatus, readStatus } from './answer-problems.ts';
import type { Asked } from './asked.ts';

const asked: Asked = { verb: 'patch', kind: configMapKind, namespace: 'default', name: 'settings' };

describe('problemOfStatus', () => {
  test.each([
    [400, {}, 'ClusterObjectInvalid'],
    [401, {}, 'ClusterUnauthorized'],
    [404, {}, 'ClusterKindMissing'],
    [404, { details: { name: 'settings', kind: 'configmaps' } }, 'ClusterObjectMissing'],
    [405, {}, 'ClusterFailed'],
    [408, {}, 'ClusterUnreachable'],
    [409, { reason: 'AlreadyExists' }, 'ClusterObjectExists'],
    [409, { reason: 'Conflict' }, 'ClusterConflict'],
    [410, { reason: 'Expired' }, 'ClusterFailed'],
    [413, {}, 'ClusterObjectInvalid'],
    [422, { reason: 'Invalid' }, 'ClusterObjectInvalid'],
    [429, {}, 'ClusterBusy'],
    [302, {}, 'ClusterFailed'],
    [500, { message: 'failed calling webhook "a.b"' }, 'ClusterFailed'],
    [
      500,
      { message: 'failed to create typed patch object (a/b): .spec.x: field not declared' },
      'ClusterObjectInvalid',
    ],
    [502, {}, 'ClusterUnreachable'],
    [503, {}, 'ClusterUnreachable'],
    [504, {}, 'ClusterUnreachable'],
  ])('%i with %j is %s and names the object', (status, answer, code) => {
    const problem = problemOfStatus(status, readStatus(answer), asked);
    expect(problem).toMatchObject({ code, context: { status } });
    expect(problem.message).toContain(
      code === 'ClusterKindMissing' ? 'configmaps of v1' : 'ConfigMap default/settings',
    );
  });

  test('a missing right names user, verb, resource and namespace, and the command that shows it', () => {
    const message =
      'jobs.batch is forbidden: User "system:serviceaccount:a:b" cannot list resource "jobs" in API group "batch" in the namespace "web"';
    const problem = problemOfStatus(403, readStatus({ message }), { verb: 'list', kind: jobKind, namespace: 'web' });
    expect(problem.code).toBe('ClusterForbidden');
    expect(problem.message).toBe(
      'system:serviceaccount:a:b may not list jobs in namespace web; check with: kubectl auth can-i list jobs.batch --namespace web --as system:serviceaccount:a:b',
    );
  });

  test.each([
    [
      { verb: 'patch', kind: configMapKind, namespace: 'a', name: 'x', subresource: 'status' },
      'kubectl auth can-i patch configmaps --subresource=status --namespace a',
    ],
    [{ verb: 'watch', kind: configMapKind }, 'kubectl auth can-i watch configmaps --all-namespaces'],
    [{ verb: 'get', kind: nodeKind, name: 'n1' }, 'kubectl auth can-i get nodes'],
  ] satisfies [Asked, string][])('the command for %j is %s', (wanted, command) => {
    const problem = problemOfStatus(403, {}, wanted);
    expect(problem.code).toBe('ClusterForbidden');
    expect(problem.message.endsWith(command)).toBe(true);
  });

  test.each([
    [
      'pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5',
      'ClusterQuotaExceeded',
    ],
    ['pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged', 'ClusterWriteRefused'],
    ['unable to create new content in namespace a because it is being terminated', 'ClusterWriteRefused'],
    ['admission webhook "w" denied the request: no', 'ClusterWriteRefused'],
  ])('a refusal that is not about rights keeps the words: %s', (message, code) => {
    const problem = problemOfStatus(403, readStatus({ message }), { ...asked, verb: 'create' });
    expect(problem.code).toBe(code);
    expect(problem.message).toBe(`ConfigMap default/settings: ${message}`);
  });

  test('a namespace that is not there is named instead of the object', () => {
    const status = readStatus({ details: { name: 'web', kind: 'namespaces' } });
    const problem = problemOfStatus(404, status, { ...asked, verb: 'create' });
    expect(problem).toMatchObject({ code: 'ClusterObjectMissing', message: 'namespaces web is not there' });
  });

  test('conflicts of server-side apply name the fields and who holds them', () => {
    const causes = [
      { reason: 'FieldManagerConflict', message: 'conflict with "kubectl" using v1', field: '.data.a' },
      { reason: 'FieldManagerConflict', message: 'conflict with "helm" using v1', field: '.data.b' },
    ];
    const problem = problemOfStatus(409, readStatus({ reason: 'Conflict', details: { causes } }), asked);
    expect(problem.message).toBe(
      'ConfigMap default/settings: .data.a: conflict with "kubectl" using v1; .data.b: conflict with "helm" using v1',
    );
  });

  test('the wait that is asked for comes from the header or from the answer', () => {
    const status = readStatus({ details: { retryAfterSeconds: 3 } });
    expect(problemOfStatus(429, status, asked).context.retryAfterMs).toBe(3_000);
    expect(problemOfStatus(429, status, asked, 7_000).context.retryAfterMs).toBe(7_000);
  });

  test('the token for the rest of a list is kept', () => {
    const status = readStatus({ reason: 'Expired', metadata: { continue: 'rest' } });
    expect(problemOfStatus(410, status, asked).context.continueWith).toBe('rest');
  });

  test('what the server quotes of a Secret is left out, and so are line breaks and terminal codes', () => {
    const secret: Asked = { verb: 'create', kind: secretKind, namespace: 'a', name: 's' };
    const quoting =
      'Secret in version "v1" cannot be handled: error found in #10 byte of ...|"hunter2"|..., bigger context ...|hunter2';
    expect(problemOfStatus(400, readStatus({ message: quoting }), secret).message).not.toContain('hunter2');
    const message = `one\n\u001b[31mtwo ${'x'.repeat(5_000)}`;
    const shown = problemOfStatus(422, readStatus({ message }), asked).message;
    expect(shown).toContain('one [31mtwo');
    expect(shown.length).toBeLessThan(1_100);
  });

  test.each([undefined, null, 5, 'text', [], { details: 7, message: {}, code: 'x' }, { details: { causes: [1] } }])(
    'an answer such as %j is a problem all the same',
    (answer) => {
      expect(problemOfStatus(503, readStatus(answer), asked).code).toBe('ClusterUnreachable');
    },
  );
});
