/** Where the published API models are. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The path of a model. Without the folder the suite fails: a contract that was not checked must not look checked. */
export function contractFile(name: string): string {
  const folder = process.env['JOBFERRY_CONTRACTS'];
  if (folder === undefined || folder === '') {
    throw new Error(
      'Set JOBFERRY_CONTRACTS to the folder with the published API models (aws/, gcp/, azure/, …).',
    );
  }
  const path = join(folder, name);
  if (existsSync(path)) return path;
  throw new Error(`JOBFERRY_CONTRACTS has no ${name}.`);
}
