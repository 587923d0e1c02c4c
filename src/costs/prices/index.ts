/** Every price table of the package. One line a plan. */
import type { PriceTable } from '../price-table.js';
import { awsLambdaArm, awsLambdaX86 } from './aws-lambda.js';
import { azureFunctions } from './azure-functions.js';
import { digitalOcean } from './digitalocean.js';
import { e2e } from './e2e.js';
import { gcpFunctions } from './gcp-functions.js';

/** The first table of a provider is its default plan. */
export const PRICES: readonly PriceTable[] = [
  awsLambdaX86,
  awsLambdaArm,
  gcpFunctions,
  azureFunctions,
  digitalOcean,
  e2e,
];
