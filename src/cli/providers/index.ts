/** Every provider the CLI knows. One line a provider; their SDKs are loaded when they are used. */
import { usageError } from '../exit-codes.js';
import type { CliProvider } from '../provider.js';
import { awsLambda } from './aws-lambda.js';
import { azureFunctions } from './azure-functions.js';
import { customHttp } from './custom-http.js';
import { digitalOcean } from './digitalocean.js';
import { e2e } from './e2e.js';
import { gcpFunctions } from './gcp-functions.js';
import { openFaas } from './openfaas.js';

export const PROVIDERS: readonly CliProvider[] = [
  customHttp,
  awsLambda,
  gcpFunctions,
  azureFunctions,
  digitalOcean,
  openFaas,
  e2e,
];

/** @throws {FaasError} CONFIG for a name that is none of these */
export function providerOf(name: string): CliProvider {
  const provider = PROVIDERS.find((one) => one.name === name);
  if (provider !== undefined) return provider;
  const known = PROVIDERS.map((one) => one.name).join(', ');
  throw usageError(`--to ${JSON.stringify(name)}: use one of ${known}.`);
}
