import { defineConfig } from 'tsup';

// JavaScript only: tsc emits the declarations beside it (scripts/build.mjs).
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    'executors/custom-http/index': 'src/executors/custom-http/index.ts',
    'executors/aws-lambda/index': 'src/executors/aws-lambda/index.ts',
    'executors/aws-lambda/entry': 'src/executors/aws-lambda/entry.ts',
    'executors/digitalocean/index': 'src/executors/digitalocean/index.ts',
    'executors/digitalocean/entry': 'src/executors/digitalocean/entry.ts',
    'packaging/bootstrap/jobs': 'src/packaging/bootstrap/jobs.ts',
    'executors/memory/index': 'src/executors/memory/index.ts',
    'layers/index': 'src/layers/index.ts',
    'costs/index': 'src/costs/index.ts',
    'objects/index': 'src/objects/index.ts',
    'resources/index': 'src/resources/index.ts',
    'objects/open': 'src/objects/open.ts',
    'packaging/index': 'src/packaging/index.ts',
    'packaging/bootstrap': 'src/packaging/bootstrap.ts',
    'sources/index': 'src/sources/index.ts',
    'testing/index': 'src/testing/index.ts',
    'testing/contract-jobs': 'src/testing/contract-jobs.ts',
    'conformance/index': 'src/conformance/index.ts',
    'cli/main': 'src/cli/main.ts',
  },
  format: 'esm',
  target: 'node22',
  platform: 'node',
  outDir: 'dist',
  splitting: true,
  sourcemap: true,
  dts: false,
  clean: false,
  silent: true,
  // Its default turns `node:sqlite` into `sqlite`, which no Node can load.
  removeNodeProtocol: false,
});
