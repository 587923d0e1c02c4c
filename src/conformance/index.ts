/**
 * The conformance suite of the custom FaaS standard: any platform, over HTTP alone.
 * The standard is `spec/custom-faas-platform.md`; each case names the sentence it checks.
 */
export { conformanceMatrix } from './matrix.js';
export { runConformance } from './run.js';
export { SECTION_NAMES } from './sections/index.js';
export {
  type CaseOutcome,
  type CaseResult,
  type ConformanceOptions,
  type ConformanceReport,
  FEATURES,
  type Feature,
  type Level,
  type Sentence,
  type Tally,
} from './types.js';
