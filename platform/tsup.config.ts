import { cp } from 'node:fs/promises';
import { defineConfig } from 'tsup';

// JavaScript only, like the package above: tsc emits the declarations beside it.
export default defineConfig(({ outDir = 'dist' }) => ({
  // The spawner and the hosts of functions are programs of their own that the platform looks for beside itself.
  entry: {
    index: 'src/index.ts',
    'spawner-process': 'src/runtimes/spawner-process.ts',
    'managed/node-host': 'src/runtimes/managed/node-host.ts',
    'managed/program-host': 'src/runtimes/managed/program-host.ts',
  },
  format: 'esm',
  target: 'node22',
  platform: 'node',
  outDir,
  // node:sqlite exists only under its full name.
  removeNodeProtocol: false,
  external: ['yauzl'],
  sourcemap: true,
  dts: false,
  clean: false,
  silent: true,
  onSuccess: () => cp('src/runtimes/managed/python-host.py', `${outDir}/managed/python-host.py`),
}));
