/** What users may say about a bundle. */
export interface BundleOptions {
  /** Packages left out of the bundle; the platform must provide them. Default: none. */
  readonly external?: readonly string[];
  /** Smaller and quicker to start; names of functions and classes are kept. Default true. */
  readonly minify?: boolean;
  /** Stack traces name lines of the source. Makes the artifact larger. Default false. */
  readonly sourcemap?: boolean;
}
