/** What a cloud wants to find in a package. */
import type { PackageFile } from './zip.js';

/**
 * How a package for one cloud is made: a small module that fits the cloud's handler shape is bundled with the user's
 * handler, or put beside an executable.
 */
export interface PackageTarget {
  /** As users write it, for example `aws-lambda`. */
  readonly name: string;
  readonly format: 'esm' | 'cjs';
  /** The oldest Node.js that runs the bundle, as esbuild names it. Default `node22`. */
  readonly node?: string;
  /** The path of the bundle in the package. */
  readonly file: string;
  /** Unix permissions of the bundle. Default 0o644. */
  readonly mode?: number;
  /** Source of the module to bundle; it imports the user's file by `jobs`, an import specifier. */
  handlerModule(jobs: string): string;
  /** Source of the module to bundle for an executable, which stands in the package's root as `function`. */
  executableModule(): string;
  /** Manifests, marks and host files that stand beside the bundle. */
  files(kind: 'handler' | 'executable'): readonly PackageFile[];
}
