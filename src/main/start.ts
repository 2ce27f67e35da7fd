// `npm start`: with arguments the command line; without, a sample appliance is built and imported, to see the product work in a few seconds.
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSampleAppliance, SAMPLE_NAME } from '../app/sample/sample-appliance.ts';
import { writeStreamOptimized } from '../formats/vmdk/stream-optimized-writer.ts';

const DATA_FOLDER = 'airlift-data';

process.env.AIRLIFT_PROGRAM_NAME = 'npm start --';

if (process.argv.length === 2) process.argv.push(...(await prepareSample()));
await import('./cli.ts');
if (process.exitCode === 0 && process.argv.includes(join(DATA_FOLDER, `${SAMPLE_NAME}.ova`))) sayWhatNext();

/** Builds the sample once; returns the command line that imports it. */
async function prepareSample(): Promise<string[]> {
  const ova = join(DATA_FOLDER, `${SAMPLE_NAME}.ova`);
  await mkdir(DATA_FOLDER, { recursive: true });
  console.error(`Building a sample appliance (1 GiB disk, mostly holes) as ${ova}`);
  const unfinished = `${ova}.new`;
  {
    await using file = await open(unfinished, 'w');
    for await (const piece of buildSampleAppliance(writeStreamOptimized)) await file.writeFile(piece);
  }
  await rename(unfinished, ova);
  // The sample of an earlier start makes room; what the user imported is not touched.
  await rm(join(DATA_FOLDER, SAMPLE_NAME), { recursive: true, force: true });
  console.error(`Importing it: airlift import ${ova} --to dir:${DATA_FOLDER} --yes\n`);
  return ['import', ova, '--to', `dir:${DATA_FOLDER}`, '--yes'];
}

function sayWhatNext(): void {
  const folder = join(DATA_FOLDER, SAMPLE_NAME);
  console.error(`
Try next:
  boot it          qemu-system-x86_64 -nographic ${join(folder, 'disk-0.qcow2')}      (Ctrl-A X ends it)
  compare again    npm start -- verify ${join(folder, 'report.json')}
  your own         npm start -- plan my.ova
                   npm start -- import my.ova --to dir:./out
  everything       npm start -- --help`);
}
