// `npm run bench -- vmdk`: speed and memory beside a named rival, in pairs, as ratios. Needs qemu-img.
import { prepareSystem } from '../scripts/prepare-system.ts';
import { benchVmdk } from './vmdk.ts';

const BENCHES: Readonly<Record<string, () => Promise<boolean>>> = { vmdk: benchVmdk };

const [name = 'vmdk'] = process.argv.slice(2).filter((each) => !each.startsWith('-'));
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(`there is no bench "${name}"; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
prepareSystem();
process.exitCode = (await bench()) ? 0 : 1;
