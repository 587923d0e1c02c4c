import { defineConfig } from 'tsup';

// JavaScript only, like the package above: tsc emits the declarations beside it.
export default defineConfig({
  entry: ['src/index.ts'],
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
