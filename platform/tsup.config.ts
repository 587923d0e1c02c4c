import { defineConfig } from 'tsup';

// JavaScript only, like the package above: tsc emits the declarations beside it.
export default defineConfig({
  // The spawner is a program of its own that the platform looks for beside itself.
  entry: { index: 'src/index.ts', 'spawner-process': 'src/runtimes/spawner-process.ts' },
  format: 'esm',
  target: 'node22',
  platform: 'node',
  outDir: 'dist',
  // node:sqlite exists only under its full name.
  removeNodeProtocol: false,
  external: ['yauzl'],
  sourcemap: true,
  dts: false,
  clean: false,
  silent: true,
});
