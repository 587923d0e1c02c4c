/** Packaging: a handler, an executable or a tree of files -> a deterministic artifact. */
export type { Artifact } from '../core/executor.js';
export { packageLambda, packageLambdaExecutable } from './aws-lambda.js';
export { packageExecutable } from './executable.js';
export { type HandlerOptions, packageHandler } from './handler.js';
export { loadModule } from './load-module.js';
export { type PackageFile, packageFiles } from './zip.js';
