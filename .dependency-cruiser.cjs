/** Who may import whom. ARCHITECTURE.md draws the picture; this file keeps it true. */
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: ['\\.d\\.ts$', 'tsup\\.config\\.ts$', '/index\\.ts$', 'bootstrap\\.ts$', 'cli/main\\.ts$'],
      },
      to: {},
    },
    {
      name: 'no-undeclared-packages',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] },
    },
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^(src|platform/src)' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'core-is-the-ground-floor',
      comment: 'core imports Node builtins and itself, nothing from npm',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { pathNot: ['^src/core/'], dependencyTypesNot: ['core'] },
    },
    {
      name: 'rooms-know-core-and-the-corridor',
      comment: 'an executor never imports another one, nor anything above it',
      severity: 'error',
      from: { path: '^src/executors/([^/]+)/' },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/executors/($1|shared)/'] },
    },
    {
      name: 'corridor-knows-core',
      severity: 'error',
      from: { path: '^src/executors/shared/' },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/executors/shared/'] },
    },
    {
      name: 'layers-know-core',
      severity: 'error',
      from: { path: '^src/layers/' },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/layers/'] },
    },
    {
      name: 'runner-and-registry-know-core',
      comment: 'one exception: the builder puts the retry layer into every runner by default',
      severity: 'error',
      from: { path: '^src/(registry\\.ts|runner/)', pathNot: '^src/runner/builder\\.ts$' },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/registry\\.ts$', '^src/runner/'] },
    },
    {
      name: 'builder-knows-the-retry-layer',
      severity: 'error',
      from: { path: '^src/runner/builder\\.ts$' },
      to: {
        path: '^src/',
        pathNot: ['^src/core/', '^src/registry\\.ts$', '^src/runner/', '^src/layers/retry\\.ts$'],
      },
    },
    {
      name: 'packaging-knows-core',
      comment: 'and the stores, from which its bootstrap fetches claims',
      severity: 'error',
      from: { path: '^src/packaging/' },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/objects/', '^src/packaging/'] },
    },
    {
      name: 'objects-costs-and-resources-know-core',
      comment: 'providers and packaging are handed in',
      severity: 'error',
      from: { path: '^src/(objects|costs|resources)/' },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/$1/'] },
    },
    {
      name: 'sources-speak-runner-types',
      severity: 'error',
      from: { path: '^src/sources/' },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/sources/'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'testing-and-conformance-know-no-executor',
      severity: 'error',
      from: { path: '^src/(testing|conformance)/' },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/(testing|conformance)/'] },
    },
    {
      name: 'nobody-imports-cli',
      severity: 'error',
      from: { pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'src-never-imports-platform',
      comment: 'only the CLI may, by dynamic import',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: ['^platform/', '@jobferry/platform'] },
    },
    {
      name: 'cli-imports-platform-dynamically',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: ['^platform/', '@jobferry/platform'], dependencyTypesNot: ['type-only', 'dynamic-import'] },
    },
    {
      name: 'platform-uses-the-sdk-by-name',
      severity: 'error',
      from: { path: '^platform/' },
      to: { path: '^src/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|dist' },
    exclude: { path: '(^|/)(dist|node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
};
