import { describe, expect, test } from 'vitest';
import { isProblem } from '../domain/problems.ts';
import { parseLocalTargetUrl, parseTargetUrl } from './target-url.ts';

describe('parseTargetUrl', () => {
  test.each([
    ['dir:./out', { folder: './out', format: 'qcow2', compression: 'none' }],
    ['dir:/srv/a b?format=raw', { folder: '/srv/a b', format: 'raw', compression: 'none' }],
    ['dir:out?format=qcow2&compression=zstd', { folder: 'out', format: 'qcow2', compression: 'zstd' }],
    ['dir:out?compression=zstd', { folder: 'out', format: 'qcow2', compression: 'zstd' }],
    ['dir:C:\\out', { folder: 'C:\\out', format: 'qcow2', compression: 'none' }],
    ['dir:~backup', { folder: '~backup', format: 'qcow2', compression: 'none' }],
  ])('%s', (text, dir) => {
    expect(parseTargetUrl(text)).toEqual({ dir });
  });

  test.each([
    ['device:/dev/sdb?state=./state', { paths: ['/dev/sdb'], stateFolder: './state' }],
    ['device:/dev/sdb,/dev/vg/web-1?state=/srv/a b', { paths: ['/dev/sdb', '/dev/vg/web-1'], stateFolder: '/srv/a b' }],
    ['device:disk.img?state=lost+found', { paths: ['disk.img'], stateFolder: 'lost+found' }],
    ['device:disk.img?state=50%25%26more', { paths: ['disk.img'], stateFolder: '50%&more' }],
  ])('%s', (text, device) => {
    expect(parseTargetUrl(text)).toEqual({ device });
  });

  test.each([
    ['kubevirt:', {}],
    ['kubevirt:vms', { namespace: 'vms' }],
    ['harvester:vms/web01', { namespace: 'vms', name: 'web01' }],
    ['kubevirt:/web01', { name: 'web01' }],
    ['kubevirt:prod/vms/web01', { context: 'prod', namespace: 'vms', name: 'web01' }],
    ['kubevirt:prod/vms/', { context: 'prod', namespace: 'vms' }],
    [
      'kubevirt:arn:aws:eks:eu-1:42:cluster/prod/vms/web01',
      { context: 'arn:aws:eks:eu-1:42:cluster/prod', namespace: 'vms', name: 'web01' },
    ],
  ])('%s', (text, cluster) => {
    const nothing = { context: undefined, namespace: undefined, name: undefined };
    expect(parseTargetUrl(text)).toEqual({ cluster: { ...nothing, ...cluster } });
  });

  test.each([
    ['./out', 'write dir:./out'],
    ['libvirt:', '"libvirt:" is no kind of target'],
    ['libvirt:', 'there are dir:<folder>, device:<device>,...?state=<folder> and kubevirt:<namespace>'],
    ['kubevirt:VMs', '"VMs" in "kubevirt:VMs" is no name for Kubernetes'],
    ['kubevirt:vms/Web 01', '"Web 01"'],
    ['kubevirt:/vms/web01', 'begins with a slash'],
    ['kubevirt:vms?class=fast', 'a cluster takes none'],
    ['device:?state=out', 'names no device'],
    ['device:/dev/sdb', 'write "device:/dev/sdb?state=<folder>"'],
    ['device:/dev/sdb?state=', 'names no folder for checkpoints'],
    ['device:/dev/sdb,?state=out', 'a comma without a device'],
    ['device:/dev/sdb?format=raw', 'device: has no option "format"; there is state'],
    ['device:/dev/sdb?state=a&state=b', 'gives state more than once'],
    ['device:/dev/sdb?state=~/out', '"~/out" is not expanded behind state=; write $HOME/out'],
    ['device:~/disk.img?state=out', 'write $HOME/disk.img'],
    ['dir:', 'names no folder'],
    ['dir:?format=raw', 'names no folder'],
    ['dir:~/out', 'write dir:$HOME/out'],
    ['dir:~', 'write dir:$HOME'],
    ['dir:out?fromat=raw', 'no option "fromat"; there are format and compression'],
    ['dir:out?format=vmdk', 'no format "vmdk"; there are qcow2 and raw'],
    ['dir:out?compression=gzip', 'no compression "gzip"; there are none and zstd'],
    ['dir:out?format=raw&compression=zstd', 'raw disks cannot be compressed'],
    ['dir:out?format=raw&format=qcow2', 'gives format more than once'],
  ])('%s is refused and told why', (text, part) => {
    let refusal: unknown;
    try {
      parseTargetUrl(text);
    } catch (error) {
      refusal = error;
    }
    expect(isProblem(refusal, 'TargetKindUnsupported') && refusal.message).toContain(part);
  });
});

describe('parseLocalTargetUrl', () => {
  test('takes what this process writes to', () => {
    expect(parseLocalTargetUrl('dir:out')).toEqual(parseTargetUrl('dir:out'));
  });

  test('refuses a cluster and says what looks into it', () => {
    expect(() => parseLocalTargetUrl('kubevirt:vms')).toThrow('airlift import --to kubevirt:vms');
  });
});
