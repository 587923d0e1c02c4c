/** The environment of a function: what the caller wants in it, what this executor adds, and what AWS keeps for itself. */
import type { FunctionConfig } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { ConfigCheck } from '../shared/config-check.js';
import { ENVIRONMENT_NAME, MAX_ENVIRONMENT_BYTES, RESERVED_ENVIRONMENT } from './limits.js';
import { SECRETS_VARIABLE } from './secrets.js';

/** Tells a function of ours, and its job, in every list. */
export const JOB_ID_VARIABLE = 'JOBFERRY_JOB_ID';
/** Says that the package's handler knows warm pings and secrets. */
export const ENTRY_VARIABLE = 'JOBFERRY_ENTRY';

/** Ours by name and not by prefix: JOBFERRY_CLAIM_STORE, for one, is the caller's to set. */
const OWN: ReadonlySet<string> = new Set([JOB_ID_VARIABLE, ENTRY_VARIABLE, SECRETS_VARIABLE]);

/** @throws {FaasError} CONFIG or UNSUPPORTED with the name of the variable; never a value */
export function environment(
  jobId: JobId,
  { env = {}, secrets = {} }: Partial<FunctionConfig>,
  hasEntry: boolean,
  check: ConfigCheck,
): Record<string, string> {
  checkNames('env', env, check);
  checkNames('secrets', secrets, check);
  for (const [name, value] of Object.entries(env)) {
    if (typeof value !== 'string') check.refuse('CONFIG', `\`env.${name}\` must be a string`);
    if (name in secrets) {
      check.refuse('CONFIG', `\`${name}\` stands in \`env\` and in \`secrets\`: leave it out of one of them`);
    }
  }
  for (const [name, reference] of Object.entries(secrets)) {
    if (/^arn:aws[a-z-]*:(secretsmanager|ssm):/.test(reference)) continue;
    check.refuse(
      'CONFIG',
      `\`secrets.${name}\` must be the ARN of a Secrets Manager secret or an SSM parameter`,
    );
  }
  const hasSecrets = Object.keys(secrets).length > 0;
  if (hasSecrets && !hasEntry) {
    check.refuse(
      'UNSUPPORTED',
      '`secrets` are fetched by the entry that packageHandler adds for the target aws-lambda, and this package has none',
    );
  }
  const variables = {
    ...env,
    [JOB_ID_VARIABLE]: String(jobId),
    ...(hasEntry && { [ENTRY_VARIABLE]: '1' }),
    ...(hasSecrets && { [SECRETS_VARIABLE]: JSON.stringify(secrets) }),
  };
  const bytes = Buffer.byteLength(Object.entries(variables).flat().join(''));
  if (bytes > MAX_ENVIRONMENT_BYTES) {
    check.refuse(
      'CONFIG',
      `\`env\` takes ${bytes} bytes with what this executor adds, the limit is ${MAX_ENVIRONMENT_BYTES}`,
    );
  }
  return variables;
}

/** Secrets too: the entry puts them into the same environment, where a key of AWS's own would lock it out. */
function checkNames(
  field: 'env' | 'secrets',
  variables: Readonly<Record<string, string>>,
  check: ConfigCheck,
): void {
  for (const name of Object.keys(variables)) {
    if (!ENVIRONMENT_NAME.test(name)) {
      const shown = JSON.stringify(name.slice(0, 80));
      check.refuse('CONFIG', `\`${field}\` has a name Lambda does not take: ${shown}`);
    }
    if (RESERVED_ENVIRONMENT.has(name)) {
      check.refuse('CONFIG', `\`${field}.${name}\`: AWS keeps this name for itself. Choose another`);
    }
    if (OWN.has(name)) {
      check.refuse('CONFIG', `\`${field}.${name}\`: this executor sets that name itself. Choose another`);
    }
  }
}
