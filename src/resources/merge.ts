/** What a provider says, laid over what the state knows: what it does not say is kept. */

import type { UpdateGroup } from './core/diff.js';
import type { DesiredFunction } from './core/model.js';
import type { FunctionAttributes } from './core/state.js';
import type { RemoteFunction } from './provider.js';

/** @param sent whether `known` names the code that the provider was just given, in the words of our own hash */
export function withRemote(
  known: FunctionAttributes,
  remote: RemoteFunction,
  { sent = false }: { readonly sent?: boolean } = {},
): FunctionAttributes {
  const { config, environment, secrets, labels, annotations } = remote;
  return {
    ...known,
    id: remote.id,
    name: remote.name ?? known.name,
    job_id: remote.jobId ?? known.job_id,
    namespace: remote.namespace ?? known.namespace,
    runtime: remote.runtime ?? known.runtime,
    template: remote.template ?? known.template,
    ...codeHashes(known, remote.codeSha256, sent),
    config: { ...known.config, ...given(config) },
    environment: environment ?? known.environment,
    secrets: secrets === undefined ? known.secrets : [...secrets].sort(),
    labels: labels ?? known.labels,
    annotations: annotations ?? known.annotations,
    invoke_url: remote.invokeUrl ?? known.invoke_url,
    status: remote.status,
    version: remote.version ?? known.version,
    created_at: remote.createdAt ?? known.created_at,
    updated_at: remote.updatedAt ?? known.updated_at,
    invocation_count: remote.invocationCount ?? known.invocation_count,
  };
}

/** Providers count what they store, we count names and contents: the two need not agree for the same code. */
function codeHashes(
  { code_sha256, remote_code_sha256 }: FunctionAttributes,
  remote: string | undefined,
  sent: boolean,
): Pick<FunctionAttributes, 'code_sha256' | 'remote_code_sha256'> {
  if (remote === undefined || remote === remote_code_sha256) return { code_sha256, remote_code_sha256 };
  // Heard of for the first time, it is the hash of what we sent.
  const isOurs = sent || (remote_code_sha256 === undefined && code_sha256 !== undefined);
  return { code_sha256: isOurs ? code_sha256 : remote, remote_code_sha256: remote };
}

/** What is wanted, with nothing of a provider's yet. */
export function attributesOf({
  type: _type,
  address: _address,
  provider: _provider,
  ...wanted
}: DesiredFunction): FunctionAttributes {
  return wanted;
}

/** The prior attributes with those of some groups as they were sent. */
export function withGroups(
  prior: FunctionAttributes,
  desired: DesiredFunction,
  groups: readonly UpdateGroup[],
): FunctionAttributes {
  let merged = prior;
  for (const group of groups) merged = { ...merged, ...fieldsOf(group, desired, prior) };
  return merged;
}

function fieldsOf(
  group: UpdateGroup,
  desired: DesiredFunction,
  prior: FunctionAttributes,
): Partial<FunctionAttributes> {
  const {
    code_sha256,
    runtime,
    template,
    image,
    handler_function,
    requirements,
    config,
    environment,
    secrets,
    labels,
    annotations,
  } = desired;
  switch (group) {
    case 'code':
      return { code_sha256, runtime, template, image, handler_function, requirements };
    case 'config':
      return { config: { ...config, hardware_type: prior.config.hardware_type } };
    case 'environment':
      return { environment, secrets };
    case 'metadata':
      return { labels, annotations };
    case 'value':
      return {};
  }
}

/** Undefined says nothing: it must not wipe out what is known. */
function given<T extends object>(fields: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(fields ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}
