/** Packaging: a handler, an executable or a tree of files -> a deterministic artifact. */
export type { Artifact } from '../core/executor.js';
export type { BundleOptions } from './bundle-options.js';
export { type ExecutableOptions, packageExecutable } from './executable.js';
export { type HandlerOptions, packageHandler } from './handler.js';
export { loadModule } from './load-module.js';
export { type PackageFile, packageFiles } from './zip.js';
