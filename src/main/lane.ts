// A lane: a worker thread that decodes, hashes and writes blocks of disks (transfer/lanes/).
import { parentPort } from 'node:worker_threads';
import { createDecodePiece } from '../formats/decode-piece.ts';
import { chooseInflate } from '../formats/inflate.ts';
import { openLaneWriter } from '../formats/lane-writer.ts';
import { serveLane } from '../transfer/lanes/serve-lane.ts';

if (parentPort === null) throw new Error('main/lane.ts runs as a worker thread only');
serveLane(parentPort, { decode: createDecodePiece(chooseInflate().inflate), openWriter: openLaneWriter });
