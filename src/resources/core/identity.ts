/** Which resource is meant. Executors know a function by its job id, everyone else by name and namespace. Pure. */
import type { Desired, DesiredFunction } from './model.js';
import type { FunctionAttributes, Resource } from './state.js';

/** The id of a function of an executor is its job id. */
export function isByJobId({ id, job_id }: FunctionAttributes): boolean {
  return job_id !== undefined && id === String(job_id);
}

/** Is what the state knows what the file means, whatever key it stands under? */
export function isSameThing(resource: Resource, desired: Desired): boolean {
  const { type, provider, attributes } = resource;
  if (type !== desired.type || provider !== desired.provider) return false;
  if (resource.type === 'function' && desired.type === 'function' && isByJobId(resource.attributes)) {
    const { job_id: jobId } = desired;
    return jobId === undefined ? attributes.name === desired.name : jobId === resource.attributes.job_id;
  }
  const { name, namespace = attributes.namespace } = desired;
  return attributes.name === name && attributes.namespace === namespace;
}

/** What a file does not say of the place of a function stays as it is, also when it is made anew. */
export function inPlaceOf(desired: DesiredFunction, prior: Resource | undefined): DesiredFunction {
  if (prior?.type !== 'function' || prior.provider !== desired.provider) return desired;
  const { attributes } = prior;
  const isNamesake = isByJobId(attributes) && attributes.name === desired.name;
  return {
    ...desired,
    namespace: desired.namespace ?? attributes.namespace,
    job_id: desired.job_id ?? (isNamesake ? attributes.job_id : undefined),
  };
}
