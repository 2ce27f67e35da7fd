// The import directions of the style guide's layout table. "pure" folders stand below all others; only main/ names adapters.
const everywhere = ['domain', 'lib'];
const mayImport = {
  domain: [],
  lib: [],
  ports: [],
  formats: ['ports'],
  sources: ['ports', 'formats'],
  targets: ['ports', 'formats', 'kube', 'api'],
  transfer: ['ports'],
  api: [],
  kube: ['ports', 'api'],
  app: ['ports', 'api'],
  controller: ['app', 'ports', 'api', 'kube'],
  worker: ['app', 'ports', 'api'],
  cli: ['app', 'api'],
  'file-relay': ['ports'],
};
const inFolder = (names) => `^src/(${names.join('|')})/`;

module.exports = {
  forbidden: [
    ...Object.entries(mayImport).map(([folder, allowed]) => ({
      name: `${folder}-imports`,
      comment: `${folder}/ may import ${allowed.length ? allowed.join(', ') : 'no other folder'}${folder === 'domain' || folder === 'lib' ? '' : ', besides domain and lib'}`,
      severity: 'error',
      from: { path: `^src/${folder}/`, pathNot: '\\.test\\.ts$' },
      to: {
        path: '^src/',
        pathNot: inFolder([folder, ...allowed, ...(folder === 'domain' || folder === 'lib' ? [] : everywhere)]),
      },
    })),
    {
      name: 'sources-apart',
      comment: 'no source knows another one',
      severity: 'error',
      from: { path: '^src/(sources|targets)/([^/]+)/' },
      to: { path: '^src/(sources|targets)/', pathNot: '^src/$1/$2/' },
    },
    {
      name: 'testing-stays-out',
      comment: 'testing/ is never imported by product code',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$|^src/testing/' },
      to: { path: '^src/testing/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'domain-is-pure',
      comment: 'domain/ does no I/O',
      severity: 'error',
      from: { path: '^src/domain/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core', 'npm'] },
    },
    { name: 'no-unknown', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
