import { describe, expect, test } from 'vitest';
import { isProblem } from '../domain/problems.ts';
import { parseTargetUrl } from './target-url.ts';

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
    ['./out', 'write dir:./out'],
    ['kubevirt:', '"kubevirt:" is no kind of target'],
    ['kubevirt:', 'there are dir:<folder> and device:<device>,...?state=<folder>'],
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
