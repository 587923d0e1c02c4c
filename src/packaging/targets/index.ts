/** Every cloud that a package can be made for. One line a cloud. */
import { FaasError } from '../../core/errors.js';
import type { PackageTarget } from '../target.js';
import { awsLambda } from './aws-lambda.js';
import { azureFunctions } from './azure-functions.js';
import { digitalOcean } from './digitalocean.js';
import { e2e } from './e2e.js';
import { gcpFunctions } from './gcp-functions.js';
import { openFaas } from './openfaas.js';

const TARGETS = [
  awsLambda,
  gcpFunctions,
  azureFunctions,
  digitalOcean,
  openFaas,
  e2e,
] as const satisfies readonly PackageTarget[];

/** Names of the clouds that want a package of their own shape. */
export const TARGET_NAMES: readonly string[] = TARGETS.map(({ name }) => name);

/** @throws {FaasError} CONFIG for a name that is none of these */
export function targetOf(name: string): PackageTarget {
  const target = TARGETS.find((one) => one.name === name);
  if (target !== undefined) return target;
  throw new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `${JSON.stringify(name)} is no target of packages. Use ${TARGET_NAMES.join(', ')}, or leave it out for the custom-FaaS spec.`,
  });
}
