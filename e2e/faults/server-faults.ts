import type { ProblemCode } from '../../src/domain/problems.ts';
import type { HttpFileServer } from '../../src/testing/http-file-server.ts';
import { byteAt, COPYING, DAMAGED_ARCHIVE, type FaultKind, MIDWAY } from './fault-kind.ts';
import type { SourceKind } from './source-kinds.ts';

const isHttp = ({ access }: SourceKind) => access !== 'local';
const isRanged = ({ access }: SourceKind) => access === 'ranges';
const isForward = ({ access }: SourceKind) => access === 'forward';

/** What servers do wrong. */
export const serverFaults: readonly FaultKind[] = [
  httpFault(
    'closes once',
    [],
    (server, byte) => {
      server.faults.closesAt = { byte, times: 1 };
    },
    { fits: isRanged },
  ),
  httpFault(
    'closes once, and cannot go on',
    ['SourceClosedEarly'],
    (server, byte) => {
      server.faults.closesAt = { byte, times: 1 };
    },
    { fits: isForward },
  ),
  httpFault('closes there each time', ['SourceClosedEarly'], (server, byte) => {
    server.faults.closesAt = { byte };
  }),
  httpFault(
    'stalls once',
    [],
    (server, byte) => {
      server.faults.stallsAt = { byte, times: 1 };
    },
    { fits: isRanged, points: COPYING },
  ),
  httpFault(
    'stalls there each time',
    ['SourceStalled'],
    (server, byte) => {
      server.faults.stallsAt = { byte };
    },
    { points: ['opening', ...MIDWAY] },
  ),
  httpFault(
    'is busy for a while',
    [],
    (server, byte) =>
      cutThen(server, byte, () => void Object.assign(server.faults, { answers: { status: 503, times: 2 } })),
    { fits: isRanged },
  ),
  httpFault(
    'is busy for good',
    ['SourceBusy'],
    (server, byte) => cutThen(server, byte, () => void Object.assign(server.faults, { answers: { status: 503 } })),
    { fits: isRanged },
  ),
  httpFault(
    'breaks',
    ['SourceFailed'],
    (server, byte) => cutThen(server, byte, () => void Object.assign(server.faults, { answers: { status: 500 } })),
    { fits: isRanged },
  ),
  httpFault('turns a bit', DAMAGED_ARCHIVE, (server, byte) => {
    server.faults.flipsAt = { byte };
  }),
  httpFault(
    'says that the file is longer',
    [...DAMAGED_ARCHIVE, 'SourceClosedEarly', 'SourceChanged'],
    (server) => {
      server.faults.lengthError = 1000;
    },
    { points: ['opening', 'start'], changesIdentity: true },
  ),
  httpFault(
    'says that the file is shorter',
    [...DAMAGED_ARCHIVE, 'SourceClosedEarly', 'SourceChanged'],
    (server, _byte, sourceBytes) => {
      server.faults.lengthError = -Math.floor(sourceBytes / 3);
    },
    { points: ['opening', 'start'], changesIdentity: true },
  ),
  httpFault(
    'has another file',
    ['SourceChanged'],
    (server, byte) => cutThen(server, byte, () => void Object.assign(server, { etag: '"second"' })),
    { fits: isRanged, mustBeNamed: true },
  ),
  httpFault(
    'stops knowing ranges',
    ['SourceRangeIgnored'],
    (server, byte) => cutThen(server, byte, () => void Object.assign(server.faults, { ignoresRanges: true })),
    { fits: isRanged, points: COPYING },
  ),
  httpFault(
    'is slow',
    [],
    (server) => {
      server.faults.bytesPerSecond = 16 * 1024 * 1024;
    },
    { points: ['start'] },
  ),
];

/** A fault of a server. @param spoil makes the server do it at that byte of the file */
function httpFault(
  name: string,
  codes: readonly ProblemCode[],
  spoil: (server: HttpFileServer, byte: number, sourceBytes: number) => void,
  more: Partial<FaultKind> = {},
): FaultKind {
  return {
    name: `server ${name}`,
    points: ['opening', ...COPYING],
    codes,
    fits: isHttp,
    inject: (world, point) => {
      const { server, sourceBytes, options } = world;
      if (server === undefined) throw new TypeError('this source has no server');
      const strike = () => spoil(server, byteAt(sourceBytes, point), sourceBytes);
      // A stream that is read once is opened with the plan.
      if (point === 'opening' || options.source.access === 'forward') strike();
      else world.onImport = strike;
    },
    ...more,
  };
}

/** Cuts the connection at the byte, and makes the server another one from the next request on. */
function cutThen(server: HttpFileServer, byte: number, change: () => void): void {
  const cut = { byte, times: 1 };
  server.faults.closesAt = cut;
  server.beforeRequest = () => {
    if (cut.times > 0) return;
    server.beforeRequest = undefined;
    change();
  };
}
