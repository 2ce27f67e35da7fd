import { CRD_SETS, loadCrds } from './crds/load-crds.ts';
import { buildTestImages } from './images/test-images.ts';
import { buildKubernetes } from './kubernetes/build.ts';

/** Builds and fetches everything that clusters need, so that no test's time limit has to allow for it. Seconds when it is all in the cache. */
export async function prepareCluster(): Promise<void> {
  await buildKubernetes();
  await loadCrds(CRD_SETS);
  await buildTestImages();
}
